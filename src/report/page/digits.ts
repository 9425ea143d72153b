/** Formats a number with at most `max` significant digits: "0.0123", "3.14 × 10⁻⁸". */
export function digits(value: number, max = 3): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e6)
    return value
      .toLocaleString("en-US", { maximumSignificantDigits: max })
      .replace("-", "−");
  const [mantissa = "", exponent = ""] = value
    .toExponential(max - 1)
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

/** Returns the smallest number of significant digits, from 2 to 5, that keeps values distinct. */
export function distinctDigits(values: readonly number[]): number {
  const isDistinct = (significant: number) =>
    new Set(values.map((value) => value.toPrecision(significant))).size ===
    new Set(values).size;
  return [2, 3, 4].find(isDistinct) ?? 5;
}

/** Formats a power of ten: "10⁻⁸". */
export function powerOfTen(exponent: number): string {
  if (exponent === 0) return "1";
  const raised = String(exponent).replace(
    /./g,
    (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)] as string,
  );
  return `10${raised}`;
}

/** Formats a share: "12.3 %". */
export function percent(share: number, max = 3): string {
  return `${digits(100 * share, max)} %`;
}

/** Formats a count on an axis: "1,200", "1.2M". */
export function axisCount(value: number): string {
  return value.toLocaleString(
    "en-US",
    value < 1e6 ? {} : { notation: "compact", maximumSignificantDigits: 4 },
  );
}
