import { Damaged } from "./decompress/failure.js";

// The levels of a page (parquet-format, Encodings.md, "RLE/Bit-Packing Hybrid"), of as many bits as the greatest needs:
//
//   run: varint 2 n     | level in whole bytes                 n times the same level
//        varint 2 n + 1 | 8 n levels, lowest bits first        the last run may have levels that do not count

/** What the levels of a page say of its rows and nulls. */
export interface LevelCounts {
  first: number;
  zeros: number;
  /** Levels that are the greatest of the schema. */
  greatest: number;
}

export interface Levels {
  kind: "repetition" | "definition";
  max: number;
  /** Number of levels. */
  values: number;
}

/** Bits that are set in each byte. */
const ONES = Uint8Array.from({ length: 256 }, (_, byte) => {
  let ones = 0;
  for (let rest = byte; rest > 0; rest >>>= 1) ones += rest & 1;
  return ones;
});

/** Counts the levels of a section. @throws Damaged unless they are as many, and no greater, than they should be */
export function countLevels(section: Uint8Array, levels: Levels): LevelCounts {
  const { kind, max, values } = levels;
  const bits = 32 - Math.clz32(max);
  const counts: LevelCounts = { first: 0, zeros: 0, greatest: 0 };
  const cursor = { at: 0 };
  let at = 0;
  let seen = 0;
  const add = (level: number, times: number) => {
    if (level > max)
      throw new Damaged(
        `expected ${kind} levels of at most ${max}, found ${level}`,
      );
    if (seen === 0) counts.first = level;
    if (level === 0) counts.zeros += times;
    if (level === max) counts.greatest += times;
    seen += times;
  };
  const addPacked = (count: number) => {
    const end = at + Math.ceil((count * bits) / 8);
    if (end > section.length) throw few(levels, seen);
    // Most of all: whether a value starts a row of a list.
    if (bits === 1 && count >= 8) {
      const whole = at + (count >>> 3);
      let ones = 0;
      for (let k = at; k < whole; k++)
        ones += ONES[section[k] as number] as number;
      if (seen === 0) counts.first = (section[at] as number) & 1;
      counts.zeros += 8 * (whole - at) - ones;
      counts.greatest += ones;
      seen += 8 * (whole - at);
      at = whole;
      count &= 7;
    }
    for (let k = 0; k < count; k++) {
      const byte = at + ((k * bits) >>> 3);
      const shift = (k * bits) & 7;
      const [low, high] = [section[byte] as number, section[byte + 1] ?? 0];
      add((((high << 8) | low) >>> shift) & ((1 << bits) - 1), 1);
    }
    at = end;
  };
  while (seen < values) {
    cursor.at = at;
    const header = readHeader(section, cursor);
    if (header < 0) throw few(levels, seen);
    at = cursor.at;
    const run = Math.floor(header / 2);
    if (header % 2) {
      const start = at;
      addPacked(Math.min(8 * run, values - seen));
      // The bytes of levels that do not count may be missing.
      at = Math.min(start + run * bits, section.length);
    } else {
      if (at >= section.length) throw few(levels, seen);
      if (run > values - seen)
        throw new Damaged(
          `expected ${values} ${kind} levels as declared in the page header, found at least ${seen + run}`,
        );
      if (run > 0) add(section[at] as number, run);
      at++;
    }
  }
  if (at < section.length)
    throw new Damaged(
      `expected ${at} bytes of ${kind} levels, found ${section.length}`,
    );
  return counts;
}

/**
 * Checks that a page has the dictionary indices of so many values: the bits of one, then runs as above. The decoder
 * itself refuses an index beyond the dictionary, but reads a missing index as 0.
 * @throws Damaged
 */
export function checkIndices(section: Uint8Array, values: number): void {
  const [bits = 0] = section;
  if (bits > 32)
    throw new Damaged(`expected indices of at most 32 bits, found ${bits}`);
  const cursor = { at: 1 };
  for (let seen = 0; seen < values; ) {
    const header = readHeader(section, cursor);
    const run = Math.floor(header / 2);
    const isPacked = header % 2 === 1;
    const count = Math.min(isPacked ? 8 * run : run, values - seen);
    const bytes = Math.ceil((isPacked ? count * bits : bits) / 8);
    if (run <= 0 || cursor.at + bytes > section.length)
      throw new Damaged(
        `expected ${values} dictionary indices as declared in the page header, found ${seen}`,
      );
    cursor.at += isPacked ? run * bits : bytes;
    seen += count;
  }
}

/** Reads the header of a run, a varint; returns -1 where there is none. */
function readHeader(section: Uint8Array, cursor: { at: number }): number {
  let header = 0;
  for (let shift = 0; shift <= 28; shift += 7) {
    if (cursor.at >= section.length) return -1;
    const byte = section[cursor.at++] as number;
    header += (byte & 127) * 2 ** shift;
    if (byte < 128) return header;
  }
  return -1;
}

function few({ kind, values }: Levels, found: number): Damaged {
  return new Damaged(
    `expected ${values} ${kind} levels as declared in the page header, found ${found}`,
  );
}
