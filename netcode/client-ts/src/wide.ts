/** Columns of 64-bit integers: ids, counters and times. */

import { takeBits, wideBits } from "./bits.ts";
import type { Reader } from "./bytes.ts";
import { badEncoding, type Column, PACKED, RAW, VARINT } from "./encoding.ts";
import { ProtocolError } from "./errors.ts";

const I64_MIN = -(2n ** 63n);
const I64_MAX = 2n ** 63n - 1n;
const U64_MAX = 2n ** 64n - 1n;

/** Values of 64 bits: `u64` and `i64` as bigints, `time` (microseconds) as numbers. */
export class WideColumn implements Column {
  private data: BigInt64Array | BigUint64Array;
  private readonly signed: boolean;
  private readonly time: boolean;
  private readonly place: string;

  constructor(type: "u64" | "i64" | "time", place: string) {
    this.signed = type !== "u64";
    this.time = type === "time";
    this.place = place;
    this.data = this.signed ? new BigInt64Array(0) : new BigUint64Array(0);
  }

  grow(capacity: number): void {
    const grown = this.signed ? new BigInt64Array(capacity) : new BigUint64Array(capacity);
    grown.set(this.data);
    this.data = grown;
  }

  copy(from: number, to: number): void {
    this.data[to] = this.data[from]!;
  }

  take(other: WideColumn, from: number, at: number): boolean {
    const value = other.data[from]!;
    if (this.data[at] === value) return false;
    this.data[at] = value;
    return true;
  }

  clear(): void {}

  get(at: number): unknown {
    const value = this.data[at]!;
    return this.time ? Number(value) : value;
  }

  decode(reader: Reader, rows: Int32Array, count: number, changed: Uint8Array): void {
    const encoding = reader.u8();
    if (encoding === RAW) {
      let at = reader.take(count * 8);
      for (let index = 0; index < count; index++, at += 8) {
        const value = this.signed ? reader.view.getBigInt64(at, true) : reader.view.getBigUint64(at, true);
        this.put(rows, index, value, changed);
      }
    } else if (encoding === PACKED) {
      const width = reader.u8();
      const base = this.varint(reader);
      const start = takeBits(reader, count, width);
      for (let index = 0; index < count; index++) {
        this.put(rows, index, base + BigInt(wideBits(reader.view, start, index, width)), changed);
      }
    } else if (encoding === VARINT) {
      for (let index = 0; index < count; index++) this.put(rows, index, this.varint(reader), changed);
    } else {
      throw badEncoding(this.place, encoding);
    }
  }

  private varint(reader: Reader): bigint {
    return this.signed ? reader.zigzag64() : reader.varint64();
  }

  private put(rows: Int32Array, index: number, value: bigint, changed: Uint8Array): void {
    if (this.signed ? value < I64_MIN || value > I64_MAX : value > U64_MAX) {
      throw new ProtocolError(`${this.place}: ${value} does not fit into 64 bits`);
    }
    const row = rows[index]!;
    if (this.data[row] !== value) {
      this.data[row] = value;
      changed[index] = 1;
    }
  }
}
