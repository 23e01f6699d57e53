/** Whole messages on a stream of bytes, which is what WebTransport gives; docs/wire.md tells how. */

import { ProtocolError } from "./errors.ts";

/** The first bytes of streams: what they carry. */
export const CONTROL_STREAM = 0;
export const WORLD_STREAM = 1;
export const OVERFLOW_STREAM = 2;

/** The largest message that is taken, in bytes. */
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;

/** The longest reason for an end, in bytes. */
const REASON_BYTES_MAX = 123;

/** The server's last words. */
export interface LastWords {
  readonly code: number;
  readonly reason: string;
}

/** A message with its length before it. */
export function framed(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const prefix: number[] = [];
  let value = message.length + 1;
  for (; value >= 0x80; value = Math.floor(value / 0x80)) prefix.push((value % 0x80) | 0x80);
  prefix.push(value);
  const out = new Uint8Array(prefix.length + message.length);
  out.set(prefix);
  out.set(message, prefix.length);
  return out;
}

/** What ends a stream. */
export function closeRecord({ code, reason }: LastWords): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(reason).subarray(0, REASON_BYTES_MAX);
  return Uint8Array.of(0, code & 0xff, code >> 8, text.length, ...text);
}

/** Makes messages of the stream's chunks, which may be cut anywhere. */
export class Deframer {
  private chunk = new Uint8Array(0);
  private at = 0;
  /** The length that is being read, and how many bits of it there are. */
  private prefix = 0;
  private bits = 0;
  /** The message that is being filled, or the last words (without the zero), and how far. */
  private record: Uint8Array | null = null;
  private filled = 0;
  private closing = false;

  /** Takes the next bytes, once {@link next} has nothing more to give. */
  push(chunk: Uint8Array): void {
    this.chunk = chunk as Uint8Array<ArrayBuffer>;
    this.at = 0;
  }

  /** The next message or the last words, if all of it has arrived. A message may share memory with its chunk. */
  next(): Uint8Array | LastWords | undefined {
    while (this.at < this.chunk.length) {
      if (this.record !== null) {
        const part = this.chunk.subarray(this.at, this.at + this.record.length - this.filled);
        this.record.set(part, this.filled);
        this.filled += part.length;
        this.at += part.length;
        if (this.filled < this.record.length) return undefined;
        const full = this.record;
        if (!this.closing) {
          this.record = null;
          return full;
        }
        const length = 3 + full[2]!;
        if (full.length === length) {
          this.at = this.chunk.length; // nothing counts that comes behind the last words
          return { code: full[0]! | (full[1]! << 8), reason: new TextDecoder().decode(full.subarray(3)) };
        }
        this.record = new Uint8Array(length);
        this.record.set(full);
        continue;
      }
      const byte = this.chunk[this.at++]!;
      this.prefix += (byte & 0x7f) * 2 ** this.bits;
      this.bits += 7;
      if (byte >= 0x80) {
        if (this.bits >= 35) throw new ProtocolError("the length of a message does not end");
        continue;
      }
      const length = this.prefix - 1;
      this.prefix = this.bits = this.filled = 0;
      if (length > MESSAGE_BYTES_MAX) throw new ProtocolError(`a message of ${length} bytes`);
      if (length < 0) {
        this.closing = true;
        this.record = new Uint8Array(3);
      } else if (length <= this.chunk.length - this.at) {
        return this.chunk.subarray(this.at, (this.at += length));
      } else {
        this.record = new Uint8Array(length);
      }
    }
    return undefined;
  }
}
