/** Formats 1234567 as "1,234,567". */
export function count(value: number): string {
  // The first use of Intl takes 10 ms.
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Formats a number with the noun, or nouns and verb, that it counts: "1 row", "1,234 classes". */
export function numberOf(
  number: number,
  one: string,
  many = `${one}s`,
): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** Formats bytes with decimal units: "832.8 kB", "1.60 GB". */
export function bytes(value: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB", "PB"];
  let scaled = value;
  let unit = 0;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  if (unit === 0) return numberOf(value, "byte");
  return `${scaled.toPrecision(scaled < 99.5 ? 3 : 4).replace(/\.0+$/, "")} ${units[unit]}`;
}

/** Formats milliseconds as "0.064 s", "12.3 s" or "3 min 20 s". */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toPrecision(2)} s`;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
