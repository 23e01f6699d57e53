/** The messages of the protocol, but for the inside of frames. */

import { decodeUtf8, Reader, Writer } from "./bytes.ts";
import { type CloseReason, type FailCode, ProtocolError } from "./errors.ts";
import { hexBytes, identityAt } from "./row.ts";
import type { Identity, Timestamp } from "./values.ts";

/** The version of the protocol that this client speaks. */
export const PROTOCOL_VERSION = 1;

/** The longest token of a Hello, in bytes. */
export const TOKEN_BYTES_MAX = 4096;

/** The longest message to a server, in bytes. */
export const CLIENT_MESSAGE_BYTES_MAX = (1 << 20) + 4096;

/** The longest message from a server, in bytes. */
export const SERVER_MESSAGE_BYTES_MAX = 16 << 20;

const DESCRIPTION_BYTES_MAX = 1 << 20;
const TEXT_BYTES_MAX = 4096;

/** `schema` of a client that wants to be told the description. */
export const NO_SCHEMA = "0".repeat(64);

/** The answer to Hello. */
export interface Welcome {
  readonly kind: "welcome";
  readonly protocol: number;
  readonly session: bigint;
  readonly identity: Identity;
  readonly tick: number;
  /** The length of a tick, in microseconds. */
  readonly tickLength: number;
  readonly time: Timestamp;
  /** SHA-256 of the module's description, as hex. */
  readonly schema: string;
  /** The description's JSON, for a client that does not know the schema. */
  readonly description: string | null;
}

/** The answer to Ping. */
export interface Pong {
  readonly kind: "pong";
  readonly clientTime: bigint;
  readonly tick: number;
  readonly time: Timestamp;
  /** What the last tick took, in microseconds. */
  readonly tickCost: number;
}

/** The last message of a session. */
export interface Closed {
  readonly kind: "closed";
  readonly reason: CloseReason;
  readonly message: string;
}

/** A frame, of which nothing has been read yet. */
export interface FrameMessage {
  readonly kind: "frame";
  readonly reader: Reader;
}

/** A message from the server. */
export type ServerMessage = Welcome | Pong | Closed | FrameMessage;

/** The answer to a call. Bytes are not copied: they are valid while the message is handled. */
export interface CallReply {
  readonly seq: number;
  readonly result:
    | { readonly status: "ok"; readonly payload: Uint8Array }
    | { readonly status: "refused"; readonly variant: number; readonly message: string; readonly fields: Uint8Array }
    | { readonly status: "failed"; readonly code: FailCode; readonly message: string; readonly id: bigint };
}

/** The first message: who we are, what schema we know, and whether frames are wanted before the server's disk has them. */
export function hello(schema: string, unconfirmed: boolean, token: Uint8Array): Uint8Array<ArrayBuffer> {
  if (token.length > TOKEN_BYTES_MAX) throw new RangeError(`a token of ${token.length} bytes; ${TOKEN_BYTES_MAX} are allowed`);
  const out = new Writer();
  out.u8(0x01);
  out.u8(PROTOCOL_VERSION);
  out.raw(hexBytes(schema, "schema"));
  out.u8(unconfirmed ? 1 : 0);
  out.lengthed(token);
  return out.finish();
}

/** A call: `args` are its arguments as a row. */
export function call(seq: number, reducer: number, args: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Writer();
  out.u8(0x02);
  out.varint(seq);
  out.varint(reducer);
  out.lengthed(args);
  if (out.size > CLIENT_MESSAGE_BYTES_MAX) throw new RangeError(`a call of ${out.size} bytes; ${CLIENT_MESSAGE_BYTES_MAX} are allowed`);
  return out.finish();
}

/** A ping; the server echoes `time`. */
export function ping(time: bigint): Uint8Array<ArrayBuffer> {
  const out = new Writer();
  out.u8(0x03);
  out.u64(time);
  return out.finish();
}

/** We leave. */
export function bye(): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(0x04);
}

/** Reads a message; of a frame only the kind. {@link ProtocolError} when it is none. */
export function readMessage(message: Uint8Array): ServerMessage {
  if (message.length > SERVER_MESSAGE_BYTES_MAX) throw new ProtocolError(`a message of ${message.length} bytes`);
  const reader = Reader.of(message);
  const kind = reader.u8();
  if (kind === 0x82) return { kind: "frame", reader };
  const read = kind === 0x81 ? readWelcome(reader) : kind === 0x83 ? readPong(reader) : kind === 0x84 ? readClosed(reader) : null;
  if (read === null) throw new ProtocolError(`message kind ${kind} is unknown`);
  reader.finish();
  return read;
}

function readWelcome(reader: Reader): Welcome {
  return {
    kind: "welcome",
    protocol: reader.u8(),
    session: reader.u64(),
    identity: identityAt(reader.bytes, reader.take(32)),
    tick: reader.varintNumber(),
    tickLength: reader.varint(),
    time: reader.i64(),
    schema: identityAt(reader.bytes, reader.take(32)),
    description: readDescriptionText(reader),
  };
}

function readDescriptionText(reader: Reader): string | null {
  const flags = reader.u8();
  if (flags > 1) throw new ProtocolError(`a welcome with flags ${flags}`);
  return flags === 1 ? decodeUtf8(limited(reader, DESCRIPTION_BYTES_MAX)) : null;
}

function readPong(reader: Reader): Pong {
  return {
    kind: "pong",
    clientTime: reader.u64(),
    tick: reader.varintNumber(),
    time: reader.i64(),
    tickCost: reader.varint(),
  };
}

const CLOSE_REASONS: readonly CloseReason[] = [
  "Internal", "Normal", "BadMessage", "TooLarge", "Flooding", "TooSlow", "Unauthorized", "Unsupported", "Shutdown",
  "Internal", "Timeout",
];

function readClosed(reader: Reader): Closed {
  const reason = CLOSE_REASONS[reader.u16()] ?? "Internal";
  return { kind: "closed", reason, message: decodeUtf8(limited(reader, TEXT_BYTES_MAX)) };
}

/** Bytes with their length before them, `max` at most. */
function limited(reader: Reader, max: number): Uint8Array {
  const length = reader.varint();
  if (length > max) throw new ProtocolError(`${length} bytes where ${max} are allowed`);
  return reader.slice(length);
}

const FAIL_CODES: readonly FailCode[] = [
  "Internal", "UnknownReducer", "Forbidden", "BadArguments", "RateLimited", "Busy", "Internal", "Storage",
];

/** Reads the results at the end of a frame. */
export function readReplies(reader: Reader): CallReply[] {
  const replies: CallReply[] = [];
  for (let left = reader.count(3); left > 0; left--) replies.push(readReply(reader));
  reader.finish();
  return replies;
}

function readReply(reader: Reader): CallReply {
  const seq = reader.varint();
  const status = reader.u8();
  const length = reader.varint();
  const start = reader.take(length);
  const outer = { at: reader.at, end: reader.end };
  reader.at = start;
  reader.end = start + length;
  const result = readResult(reader, status);
  reader.finish();
  reader.at = outer.at;
  reader.end = outer.end;
  return { seq, result };
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
