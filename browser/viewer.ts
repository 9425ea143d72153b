import { element } from "./elements.js";
import type { RowData, RowsData } from "./row-data.js";
import { rowView } from "./row-view.js";

type Step = "first" | "back" | "next" | "last";

const KEYS: Record<string, Step> = {
  ArrowLeft: "back",
  ArrowUp: "back",
  ArrowRight: "next",
  ArrowDown: "next",
  Home: "first",
  End: "last",
};

const data = document.getElementById("rows-data");
const place = document.getElementById("viewer");
if (data && place) open(place, JSON.parse(data.textContent ?? "") as RowsData);

/** Pages through lists of rows, by buttons and by keys. */
function open(viewer: HTMLElement, rows: RowsData): void {
  const choice = find(viewer, "#viewer-list") as HTMLSelectElement;
  const buttons = [
    ...viewer.querySelectorAll<HTMLButtonElement>("button[data-step]"),
  ];
  let at = 0;
  const list = () => rows.lists[choice.selectedIndex] as RowsData["lists"][0];
  const show = () => {
    const { name, rows: own } = list();
    const row = own[at] as RowData;
    find(viewer, "#viewer-row").replaceChildren(...rowView(row, rows));
    find(viewer, "#viewer-place").textContent =
      `${name}: ${at + 1} of ${own.length}, row ${row.row}`;
    for (const button of buttons)
      button.disabled = stepped(button.dataset.step as Step, at, own) === at;
  };
  const go = (step: Step) => {
    at = stepped(step, at, list().rows);
    show();
  };
  choice.append(
    ...rows.lists.map(({ name, rows: own }) =>
      element("option", {}, `${name} (${own.length})`),
    ),
  );
  choice.addEventListener("change", () => {
    at = 0;
    show();
  });
  for (const button of buttons)
    button.addEventListener("click", () => {
      go(button.dataset.step as Step);
      // A button that has led to the end would take the focus with it.
      if (button.disabled) viewer.focus();
    });
  viewer.addEventListener("keydown", (event) => {
    const step = KEYS[event.key];
    // The list has keys of its own, and so has a table that is wider than its place.
    const target = event.target as HTMLElement;
    if (!step || target === choice || target.closest(".scroll")) return;
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    go(step);
  });
  document.getElementById("viewer-missing")?.remove();
  viewer.hidden = false;
  show();
}

function stepped(step: Step, at: number, rows: readonly RowData[]): number {
  const last = rows.length - 1;
  return {
    first: 0,
    back: Math.max(0, at - 1),
    next: Math.min(last, at + 1),
    last,
  }[step];
}

function find(viewer: HTMLElement, selector: string): HTMLElement {
  return viewer.querySelector(selector) as HTMLElement;
}
