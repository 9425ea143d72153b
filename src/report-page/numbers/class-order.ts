/** A cluster: its classes in an order. */
interface Cluster {
  order: number[];
}

/**
 * An order of classes that puts those side by side that trade most for their size: clusters are joined by the mean of
 * their similarity (average linkage), each turned so that the more alike ends meet.
 *
 * @param mean mean |J| of two of them, by their places
 * @returns places
 */
export function classOrder(
  count: number,
  mean: (a: number, b: number) => number,
): number[] {
  const similarity = (a: number, b: number) => {
    const scale = Math.sqrt(mean(a, a) * mean(b, b));
    return scale > 0 ? mean(a, b) / scale : 0;
  };
  let clusters: Cluster[] = Array.from({ length: count }, (_, k) => ({
    order: [k],
  }));
  // Of two clusters: kept between joins, which changes one line of it.
  const between = clusters.map((_, a) =>
    clusters.map((_, b) => (a === b ? 0 : similarity(a, b))),
  );
  let names = clusters.map((_, k) => k);
  while (clusters.length > 1) {
    const [x, y] = mostAlike(names, between);
    const [a, b] = [clusters[x] as Cluster, clusters[y] as Cluster];
    const [own, other] = [names[x] as number, names[y] as number];
    for (const name of names)
      if (name !== own && name !== other) {
        const sum =
          a.order.length * valueAt(between, own, name) +
          b.order.length * valueAt(between, other, name);
        const joined = sum / (a.order.length + b.order.length);
        (between[own] as number[])[name] = joined;
        (between[name] as number[])[own] = joined;
      }
    clusters[x] = { order: joinEnds(a.order, b.order, similarity) };
    clusters = clusters.filter((_, k) => k !== y);
    names = names.filter((_, k) => k !== y);
  }
  return clusters[0]?.order ?? [];
}

function mostAlike(
  names: readonly number[],
  between: number[][],
): [x: number, y: number] {
  let best: [number, number] = [0, 1];
  let most = -1;
  for (let x = 0; x < names.length; x++)
    for (let y = x + 1; y < names.length; y++) {
      const value = valueAt(between, names[x] as number, names[y] as number);
      if (value > most) [most, best] = [value, [x, y]];
    }
  return best;
}

function valueAt(between: number[][], a: number, b: number): number {
  return between[a]?.[b] as number;
}

function joinEnds(
  a: readonly number[],
  b: readonly number[],
  similarity: (a: number, b: number) => number,
): number[] {
  const turned = (order: readonly number[]) => [...order].reverse();
  const ways = [
    [a, b],
    [a, turned(b)],
    [turned(a), b],
    [turned(a), turned(b)],
  ] as const;
  const meeting = ways.map(([left, right]) =>
    similarity(left.at(-1) as number, right[0] as number),
  );
  const [left, right] = ways[
    meeting.indexOf(Math.max(...meeting))
  ] as (typeof ways)[number];
  return [...left, ...right];
}
