/** What all columns have in common. */

import type { Reader } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";

/** The encodings of a column on the wire. */
export const RAW = 0;
export const PACKED = 1;
export const VARINT = 2;
export const OPAQUE = 3;

/** All values of one field, one per row of a table. */
export interface Column {
  /** Makes room for `capacity` rows. */
  grow(capacity: number): void;
  /** Copies the value of row `from` to row `to`. */
  copy(from: number, to: number): void;
  /** Row `at` becomes what row `from` of `other`, a column of the same field, is. Whether that changed it. */
  take(other: Column, from: number, at: number): boolean;
  /** Lets go of what row `at` holds. */
  clear(at: number): void;
  /** The value of row `at`. */
  get(at: number): unknown;
  /**
   * Reads a column of the wire: value `i` becomes that of row `rows[i]`, and `changed[i]` is set when that
   * changed it.
   */
  decode(reader: Reader, rows: Int32Array, count: number, changed: Uint8Array): void;
}

/** The error for an encoding that a field can't have. */
export function badEncoding(place: string, encoding: number): ProtocolError {
  return new ProtocolError(`${place}: a column with encoding ${encoding}`);
}
