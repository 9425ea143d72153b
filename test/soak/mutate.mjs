// Damage of the kinds that disks, transfers and fuzzers do, the same for the same seed.

/** A seeded generator of numbers in [0, 1). */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let t = state ^ (state >>> 16);
    t = Math.imul(t, 0x21f0aaad);
    t ^= t >>> 15;
    t = Math.imul(t, 0x735a2d97);
    return ((t ^ (t >>> 15)) >>> 0) / 2 ** 32;
  };
}

const AWKWARD = [
  ...[-1n, 0n, 1n, 2n, 7n, 8n, 127n, 255n, 65535n],
  ...[2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 63n - 1n],
];

/** Returns a damaged copy: of every second, one bit; of the others one to four changes, each anywhere. */
export function mutate(bytes, uniform) {
  if (uniform() < 0.5) {
    const copy = Buffer.from(bytes);
    const at = Math.floor(uniform() * copy.length);
    copy[at] ^= 1 << Math.floor(uniform() * 8);
    return copy;
  }
  const below = (limit) => Math.floor(uniform() * limit);
  const number = (data) => {
    const wide = uniform() < 0.3;
    const size = wide ? 8 : uniform() < 0.5 ? 4 : 2;
    if (data.length < size) return data;
    const at = below(Math.floor(data.length / size)) * size;
    const old = wide
      ? data.readBigInt64LE(at)
      : BigInt(data.readIntLE(at, size));
    const value =
      uniform() < 0.3
        ? old + BigInt(below(33) - 16)
        : AWKWARD[below(AWKWARD.length)];
    const low = BigInt.asUintN(8 * size, value);
    for (let k = 0; k < size; k++)
      data[at + k] = Number((low >> BigInt(8 * k)) & 255n);
    return data;
  };
  const bit = (data) => {
    data[below(data.length)] ^= 1 << below(8);
    return data;
  };
  const range = (data) => {
    const start = below(data.length);
    return [start, start + 1 + below(Math.min(64, data.length - start))];
  };
  const changes = [
    bit,
    bit,
    number,
    number,
    number,
    (data) => data.subarray(0, below(data.length)),
    (data) => {
      const [start, end] = range(data);
      return Buffer.concat([data.subarray(0, start), data.subarray(end)]);
    },
    (data) => {
      const [start, end] = range(data);
      return Buffer.concat([data.subarray(0, end), data.subarray(start)]);
    },
    (data) => {
      const [start, end] = range(data);
      data.copy(data, below(data.length - (end - start) + 1), start, end);
      return data;
    },
  ];
  let data = Buffer.from(bytes);
  for (let k = 1 + below(4); k > 0 && data.length > 0; k--)
    data = changes[below(changes.length)](data);
  return data;
}
