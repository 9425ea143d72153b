/** Formats a number with `most` significant digits: "0.0123", "3.1 × 10⁻⁸". */
export function digits(value: number, most = 3): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e6)
    return value
      .toLocaleString("en-US", { maximumSignificantDigits: most })
      .replace("-", "−");
  const [mantissa = "", exponent = ""] = value
    .toExponential(most - 1)
    .split("e");
  const shown = mantissa.replace(/\.?0+$/, "").replace("-", "−");
  const power = powerOfTen(Number(exponent));
  return shown === "1" ? power : `${shown} × ${power}`;
}

/** Formats a number for a narrow cell: "0.084", "−3.2e−8". */
export function cellNumber(value: number): string {
  const size = Math.abs(value);
  const text =
    size === 0
      ? "0"
      : size >= 1e-3
        ? String(Number(value.toPrecision(2)))
        : value.toExponential(1).replace(".0e", "e");
  return text.replaceAll("-", "−");
}

/** Returns the number of significant digits, at least two, that keep values distinct. */
export function tellingDigits(values: readonly number[]): number {
  const isDistinct = (most: number) =>
    new Set(values.map((value) => value.toPrecision(most))).size ===
    new Set(values).size;
  return [2, 3, 4].find(isDistinct) ?? 5;
}

/** 10⁻⁸ */
export function powerOfTen(exponent: number): string {
  if (exponent === 0) return "1";
  return `10${String(exponent).replace(/./g, (character) => SUPERSCRIPT[character] as string)}`;
}

const SUPERSCRIPT: Record<string, string> = {
  "-": "⁻",
  "0": "⁰",
  "1": "¹",
  "2": "²",
  "3": "³",
  "4": "⁴",
  "5": "⁵",
  "6": "⁶",
  "7": "⁷",
  "8": "⁸",
  "9": "⁹",
};

/** Formats a share as "12.3 %". */
export function percent(share: number, most = 3): string {
  return `${digits(100 * share, most)} %`;
}

/** Formats a count on an axis: "1,200", "1.2M". */
export function axisCount(value: number): string {
  return value.toLocaleString(
    "en-US",
    value < 1e6 ? {} : { notation: "compact", maximumSignificantDigits: 4 },
  );
}

/** Returns ticks of a logarithmic axis: powers of ten, and values between them if there are few. */
export function logTicks(values: readonly number[]): number[] {
  const logs = values.filter((value) => value > 0).map(Math.log10);
  if (logs.length === 0) return [];
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  const between = high - low < 2 ? [1, 2, 5] : high - low < 4 ? [1, 3] : [1];
  const step = Math.ceil((high - low) / 8);
  const ticks: number[] = [];
  for (let decade = Math.floor(low); decade <= Math.ceil(high); decade += step)
    for (const digit of between) ticks.push(Number(`${digit}e${decade}`));
  return ticks.filter((tick) => {
    const log = Math.log10(tick);
    return log >= low - 0.02 && log <= high + 0.02;
  });
}
