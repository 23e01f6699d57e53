/** Reading and writing of messages, byte by byte. */

import { ProtocolError } from "./errors.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const toUtf8 = new TextEncoder();

/** Bytes that may be read behind a message's end, so that bit fields are read as whole words. */
export const PADDING = 8;

/**
 * Reads from a range of bytes; whatever they are, a read gives a value or throws {@link ProtocolError}.
 *
 * Hot loops (bit fields) read `view` directly: behind `end` there are always 8 more readable bytes.
 */
export class Reader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** The next byte. */
  at: number;
  /** The first byte that is not ours. */
  end: number;

  private constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
    this.end = end;
  }

  /** Reads `message`, which is copied. */
  static of(message: Uint8Array): Reader {
    const bytes = new Uint8Array(message.length + PADDING);
    bytes.set(message);
    return new Reader(bytes, 0, message.length);
  }

  /** Reads `bytes` where they are; behind the `length` that are read there are {@link PADDING} more. */
  static over(bytes: Uint8Array, length: number): Reader {
    return new Reader(bytes, 0, length);
  }

  /** How many bytes are left. */
  get left(): number {
    return this.end - this.at;
  }

  /** Makes sure that `count` bytes are left, and returns where they start; they are taken. */
  take(count: number): number {
    const at = this.at;
    if (count > this.end - at) throw new ProtocolError(`the message ends ${count - (this.end - at)} bytes early`);
    this.at = at + count;
    return at;
  }

  u8(): number {
    return this.bytes[this.take(1)]!;
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  f32(): number {
    return this.view.getFloat32(this.take(4), true);
  }

  u64(): bigint {
    return this.view.getBigUint64(this.take(8), true);
  }

  /** An `i64` as a number: exact within ±2^53. */
  i64(): number {
    return Number(this.view.getBigInt64(this.take(8), true));
  }

  /** A varint of at most 32 bits. */
  varint(): number {
    const { bytes, at } = this;
    const first = bytes[at]!;
    if (first < 0x80 && at < this.end) {
      this.at = at + 1;
      return first;
    }
    const value = this.varintNumber();
    if (value > 0xffffffff) throw new ProtocolError(`a number of more than 32 bits: ${value}`);
    return value;
  }

  /** A varint of at most 64 bits as a number: exact up to 2^53. For what counts up from zero. */
  varintNumber(): number {
    const first = this.u8();
    if (first < 0x80) return first;
    this.at--;
    return Number(this.varint64());
  }

  /** A varint of at most 64 bits. */
  varint64(): bigint {
    // Seven bytes are 49 bits: most numbers end there, and cost no arithmetic on bigints.
    let low = 0;
    let scale = 1;
    for (let index = 0; index < 7; index++, scale *= 0x80) {
      const byte = this.u8();
      low += (byte & 0x7f) * scale;
      if (byte < 0x80) return BigInt(shortest(low, byte, index));
    }
    let high = 0;
    scale = 1;
    for (let index = 7; index < 10; index++, scale *= 0x80) {
      const byte = this.u8();
      if (index === 9 && byte > 1) break;
      high += (byte & 0x7f) * scale;
      if (byte < 0x80) return BigInt(low) + (BigInt(shortest(high, byte, index)) << 49n);
    }
    throw new ProtocolError("a number of more than 64 bits");
  }

  /** A zigzag varint of at most 64 bits. */
  zigzag64(): bigint {
    const value = this.varint64();
    return (value & 1n) === 0n ? value >> 1n : -(value >> 1n) - 1n;
  }

  /** A zigzag varint of at most 32 bits. */
  zigzag(): number {
    const value = this.varint();
    return (value >>> 1) ^ -(value & 1);
  }

  /** So many bytes, not copied: they are overwritten by the next message. */
  slice(length: number): Uint8Array {
    const at = this.take(length);
    return this.bytes.subarray(at, at + length);
  }

  /** Bytes with their length before them, not copied. */
  lengthed(): Uint8Array {
    return this.slice(this.varint());
  }

  /** Text with its length before it. */
  text(): string {
    return decodeUtf8(this.lengthed());
  }

  /** A count of things of which each takes at least `bytes` bytes: bounded before anything is allocated. */
  count(bytes: number): number {
    const count = this.varint();
    if (count * bytes > this.left) throw new ProtocolError(`${count} items do not fit into ${this.left} bytes`);
    return count;
  }

  /** Throws unless everything has been read. */
  finish(): void {
    if (this.at !== this.end) throw new ProtocolError(`${this.left} bytes too many`);
  }
}

/** A varint's last byte is zero only where it is the only one. */
function shortest(value: number, last: number, index: number): number {
  if (last === 0 && index > 0) throw new ProtocolError("a number with needless bytes");
  return value;
}

/** The text of `bytes`; {@link ProtocolError} when they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new ProtocolError("a text is not UTF-8");
  }
}

/** The bytes of `text`. */
export function encodeUtf8(text: string): Uint8Array {
  return toUtf8.encode(text);
}

/** Builds a message. */
export class Writer {
  private bytes = new Uint8Array(256);
  private view = new DataView(this.bytes.buffer);
  private length = 0;

  /** Makes room for `count` zeroed bytes and returns where they start. */
  reserve(count: number): number {
    const at = this.length;
    const need = at + count;
    if (need > this.bytes.length) {
      const grown = new Uint8Array(Math.max(need, this.bytes.length * 2));
      grown.set(this.bytes);
      this.bytes = grown;
      this.view = new DataView(grown.buffer);
    }
    this.length = need;
    return at;
  }

  /** The bytes so far. */
  get size(): number {
    return this.length;
  }

  /** For writes into reserved bytes; valid until the next reservation. */
  get data(): DataView {
    return this.view;
  }

  u8(value: number): void {
    const at = this.reserve(1); // may replace the view
    this.view.setUint8(at, value);
  }

  u64(value: bigint): void {
    const at = this.reserve(8); // may replace the view
    this.view.setBigUint64(at, value, true);
  }

  /** A varint; a number beyond 2^53 must be a bigint. */
  varint(value: number | bigint): void {
    if (typeof value === "bigint") {
      for (; value > Number.MAX_SAFE_INTEGER; value >>= 7n) this.u8(Number(value & 0x7fn) | 0x80);
      value = Number(value);
    }
    while (value >= 0x80) {
      this.u8((value % 0x80) | 0x80);
      value = Math.floor(value / 0x80);
    }
    this.u8(value);
  }

  raw(bytes: Uint8Array): void {
    const at = this.reserve(bytes.length);
    this.bytes.set(bytes, at);
  }

  /** `bytes` with their length before them. */
  lengthed(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** A copy of what was written. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.length);
  }
}
