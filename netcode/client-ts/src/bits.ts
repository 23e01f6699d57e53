/** Bit fields: `count` values of `width` bits, packed least significant first. */

import type { Reader } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";

/** Takes a packed run from `reader` and returns where it starts, after checking its length and its last bits. */
export function takeBits(reader: Reader, count: number, width: number): number {
  if (width > 32) throw new ProtocolError(`values of ${width} bits`);
  const bits = count * width;
  const start = reader.take((bits + 7) >>> 3);
  const rest = bits & 7;
  if (rest !== 0 && reader.bytes[reader.at - 1]! >>> rest !== 0) throw new ProtocolError("bits behind the last value");
  return start;
}

/**
 * Value `index` of the run at `start`, for any width up to 32. Loops over narrow runs (up to 25 bits) read with
 * {@link narrowBits}, which is a single load.
 */
export function wideBits(view: DataView, start: number, index: number, width: number): number {
  if (width === 0) return 0;
  const bit = index * width;
  const at = start + (bit >>> 3);
  const shift = bit & 7;
  let value = view.getUint32(at, true) >>> shift;
  if (shift + width > 32) value |= view.getUint32(at + 4, true) << (32 - shift);
  return width === 32 ? value >>> 0 : value & ((1 << width) - 1);
}

/** Value `index` of the run at `start`, for a width up to 25; `mask` has `width` bits. */
export function narrowBits(view: DataView, start: number, index: number, width: number, mask: number): number {
  const bit = index * width;
  return (view.getUint32(start + (bit >>> 3), true) >>> (bit & 7)) & mask;
}
