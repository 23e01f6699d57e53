/** Numbers from 0 to 1 that depend on their arguments and nothing else. */
export function hash(seed: number, x: number, y: number): number {
  let h = Math.imul(seed | 0, 0x9e3779b1) ^ Math.imul(x | 0, 0x85ebca6b) ^ Math.imul(y | 0, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return ((h ^ (h >>> 15)) >>> 0) / 2 ** 32;
}

/** Pixels between two points of {@link patches}. */
const PATCH = 22;

/** Soft patches from 0 to 1, without seams. */
export function patches(x: number, y: number): number {
  const column = Math.floor(x / PATCH);
  const row = Math.floor(y / PATCH);
  const u = x / PATCH - column;
  const v = y / PATCH - row;
  const top = hash(3, column, row) * (1 - u) + hash(3, column + 1, row) * u;
  const bottom = hash(3, column, row + 1) * (1 - u) + hash(3, column + 1, row + 1) * u;
  return top * (1 - v) + bottom * v;
}
