/** A number in so many digits: "0.0123", "3.1 × 10⁻⁸". */
export function digits(value: number, most = 3): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e6)
    return value.toLocaleString("en-US", { maximumSignificantDigits: most });
  const [mantissa = "", exponent = ""] = value
    .toExponential(most - 1)
    .split("e");
  const shown = mantissa.replace(/\.?0+$/, "").replace("-", "−");
  const power = powerOfTen(Number(exponent));
  return shown === "1" ? power : `${shown} × ${power}`;
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

/** "12.3 %"; of few of many "0.0012 %". */
export function percent(share: number): string {
  return `${digits(100 * share)} %`;
}
