/** What stands behind the blocks of a frame: results of calls, and answers to queries. */

import { decodeUtf8, type Reader } from "./bytes.ts";
import { type FailCode, ProtocolError } from "./errors.ts";

/** The longest text of a refusal, a failure or an end, in bytes. */
export const TEXT_BYTES_MAX = 4096;

/** The answer to a call. Bytes are not copied: they are valid while the message is handled. */
export interface CallReply {
  readonly seq: number;
  readonly result:
    | { readonly status: "ok"; readonly payload: Uint8Array }
    | { readonly status: "refused"; readonly variant: number; readonly message: string; readonly fields: Uint8Array }
    | { readonly status: "failed"; readonly code: FailCode; readonly message: string; readonly id: bigint };
}

/** The answer to a query. */
export interface QueryReply {
  /** Our number of it. */
  readonly query: number;
  readonly result:
    | { readonly status: "applied"; readonly topics: readonly number[] }
    | { readonly status: "refused" | "explained"; readonly text: string };
}

/** What a frame ends with. */
export interface Replies {
  readonly results: readonly CallReply[];
  readonly queries: readonly QueryReply[];
}

const FAIL_CODES: readonly FailCode[] = [
  "Internal", "UnknownReducer", "Forbidden", "BadArguments", "RateLimited", "Busy", "Internal", "Storage",
];

/** Reads the end of a frame. */
export function readReplies(reader: Reader): Replies {
  const results: CallReply[] = [];
  for (let left = reader.count(3); left > 0; left--) results.push(readReply(reader));
  const queries: QueryReply[] = [];
  for (let left = reader.count(3); left > 0; left--) queries.push(readQueryReply(reader));
  reader.finish();
  return { results, queries };
}

/** Bytes with their length before them, `max` at most. */
export function limited(reader: Reader, max: number): Uint8Array {
  const length = reader.varint();
  if (length > max) throw new ProtocolError(`${length} bytes where ${max} are allowed`);
  return reader.slice(length);
}

function readReply(reader: Reader): CallReply {
  const seq = reader.varint();
  const status = reader.u8();
  return { seq, result: within(reader, () => readResult(reader, status)) };
}

function readQueryReply(reader: Reader): QueryReply {
  const query = reader.varint();
  const status = reader.u8();
  return { query, result: within(reader, () => readAnswer(reader, status)) };
}

/** Reads bytes with their length before them by `read`, which must take all of them. */
function within<T>(reader: Reader, read: () => T): T {
  const length = reader.varint();
  const start = reader.take(length);
  const outer = { at: reader.at, end: reader.end };
  reader.at = start;
  reader.end = start + length;
  const value = read();
  reader.finish();
  reader.at = outer.at;
  reader.end = outer.end;
  return value;
}

function readResult(reader: Reader, status: number): CallReply["result"] {
  if (status === 0) return { status: "ok", payload: reader.slice(reader.left) };
  if (status === 1) {
    const variant = reader.u16();
    const message = decodeUtf8(limited(reader, TEXT_BYTES_MAX));
    return { status: "refused", variant, message, fields: reader.slice(reader.left) };
  }
  if (status === 2) {
    const code = FAIL_CODES[reader.u8()] ?? "Internal";
    return { status: "failed", code, message: decodeUtf8(limited(reader, TEXT_BYTES_MAX)), id: reader.u64() };
  }
  throw new ProtocolError(`result status ${status} is unknown`);
}

function readAnswer(reader: Reader, status: number): QueryReply["result"] {
  if (status === 0) {
    const topics: number[] = [];
    while (reader.left > 0) topics.push(reader.varint());
    return { status: "applied", topics };
  }
  if (reader.left > TEXT_BYTES_MAX) throw new ProtocolError(`a query's text of ${reader.left} bytes`);
  if (status === 1) return { status: "refused", text: decodeUtf8(reader.slice(reader.left)) };
  if (status === 2) return { status: "explained", text: decodeUtf8(reader.slice(reader.left)) };
  throw new ProtocolError(`query status ${status} is unknown`);
}
