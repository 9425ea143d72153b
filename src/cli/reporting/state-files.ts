import { replaceFile } from "../../output/commit.js";
import { printableJson } from "../../printable.js";
import type { Settings } from "../command.js";
import { metricsText } from "./metrics.js";
import type { State } from "./state.js";

/** The files that a command tells its state and its report in, as settings ask for them. */
export class StateFiles {
  constructor(
    private readonly settings: Settings,
    private readonly output: string,
  ) {}

  /** @throws as the file system */
  state(state: State): void {
    this.#put("statusFile", () => json(state));
    this.#put("metrics", () => metricsText(state, this.output));
  }

  /** @throws as the file system */
  report(report: unknown): void {
    this.#put("report", () => json(report));
  }

  #put(setting: string, text: () => string): void {
    const path = this.settings.get(setting);
    if (typeof path === "string") replaceFile(path, text());
  }
}

function json(value: unknown): string {
  return `${printableJson(JSON.stringify(value, null, 2))}\n`;
}
