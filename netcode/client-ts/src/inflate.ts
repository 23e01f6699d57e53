/** Raw DEFLATE, in which snapshots may come. */

import { inflateSync } from "fflate";

import { ProtocolError } from "./errors.ts";

/** The longest content of a compressed block, in bytes. */
const RAW_BYTES_MAX = 16 << 20;

/** DEFLATE makes of one byte at most so many. */
const RATIO_MAX = 1032;

/** The `length` bytes that `compressed` stands for, with `padding` zeros behind them. {@link ProtocolError} when it does not. */
export function inflate(compressed: Uint8Array, length: number, padding: number): Uint8Array {
  if (length > RAW_BYTES_MAX || length > compressed.length * RATIO_MAX) {
    throw new ProtocolError(`a block of ${compressed.length} bytes can't hold ${length}`);
  }
  // At least one byte of room more than there must be, so that what is too long shows; it is never made larger.
  const out = new Uint8Array(length + padding + 1);
  let found: Uint8Array;
  try {
    found = inflateSync(compressed, { out });
  } catch (error) {
    throw new ProtocolError(`a compressed block is damaged: ${(error as Error).message}`);
  }
  if (found.length !== length) throw new ProtocolError(`a compressed block of ${found.length} bytes, not ${length}`);
  return out.subarray(0, length + padding);
}
