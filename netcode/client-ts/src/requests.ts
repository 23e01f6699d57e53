/** The messages to a server. */

import { encodeUtf8, Writer } from "./bytes.ts";
import { hexBytes } from "./row.ts";

/** The version of the protocol that this client speaks. */
export const PROTOCOL_VERSION = 1;

/** The longest token of a Hello, in bytes. */
export const TOKEN_BYTES_MAX = 4096;

/** The longest message to a server, in bytes. */
export const CLIENT_MESSAGE_BYTES_MAX = (1 << 20) + 4096;

/** `schema` of a client that wants to be told the description. */
export const NO_SCHEMA = "0".repeat(64);

/** The bytes of a session's secret. */
export const SECRET_BYTES = 16;

/** The most inputs of one Input message. */
export const INPUT_ENTRIES_MAX = 16;

/** What counts up from zero; beyond 2^53 only as a bigint. */
type Count = number | bigint;

/** The longest text of a query, in bytes. */
export const QUERY_BYTES_MAX = 4096;

/** A session that is to go on. */
export interface Resume {
  readonly session: bigint;
  readonly secret: Uint8Array;
  /** Results that have arrived in that session so far. */
  readonly results: Count;
}

/** What a client says of itself. */
export interface Hello {
  /** The hash of the schema that it knows, as hex. */
  readonly schema: string;
  /** Whether frames are wanted before the server's disk has them. */
  readonly unconfirmed: boolean;
  readonly token: Uint8Array;
  /** Without this, a session begins. */
  readonly resume?: Resume;
}

/** An input for a tick. */
export interface InputEntry {
  readonly tick: Count;
  readonly reducer: number;
  readonly args: Uint8Array;
}

/** How a connection fares, in the client's eyes. */
export interface Report {
  /** The newest frame that was applied, of either lane. */
  readonly frame: Count;
  readonly roundTripMicros: number;
  readonly jitterMicros: number;
  /** The age of the newest applied data, the 99th percentile since the last report. */
  readonly stalenessMicros: number;
  /** Since the last report. */
  readonly statesReceived: number;
  readonly statesLost: number;
}

const UNCONFIRMED = 1;
const RESUME = 2;

/** The first message. */
export function hello({ schema, unconfirmed, token, resume }: Hello): Uint8Array<ArrayBuffer> {
  if (token.length > TOKEN_BYTES_MAX) throw new RangeError(`a token of ${token.length} bytes; ${TOKEN_BYTES_MAX} are allowed`);
  const out = new Writer();
  out.u8(0x01);
  out.u8(PROTOCOL_VERSION);
  out.raw(hexBytes(schema, "schema"));
  out.u8((unconfirmed ? UNCONFIRMED : 0) | (resume ? RESUME : 0));
  out.lengthed(token);
  if (resume) {
    out.u64(resume.session);
    out.raw(resume.secret);
    out.varint(resume.results);
  }
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

/** A ping; the server echoes `time`. It may forget the first `results` results of the session. */
export function ping(time: bigint, results: Count): Uint8Array<ArrayBuffer> {
  const out = new Writer();
  out.u8(0x03);
  out.u64(time);
  out.varint(results);
  return out.finish();
}

/** We leave. */
export function bye(): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(0x04);
}

/** Inputs, 1 to {@link INPUT_ENTRIES_MAX}, the newest tick first. */
export function input(entries: readonly InputEntry[]): Uint8Array<ArrayBuffer> {
  const { tick } = entries[0]!;
  const out = new Writer();
  out.u8(0x05);
  out.varint(tick);
  out.varint(entries.length);
  for (const entry of entries) {
    out.varint(BigInt(tick) - BigInt(entry.tick));
    out.varint(entry.reducer);
    out.lengthed(entry.args);
  }
  return out.finish();
}

/** How we fare. */
export function report(report: Report): Uint8Array<ArrayBuffer> {
  const out = new Writer();
  out.u8(0x06);
  out.varint(report.frame);
  for (const micros of [report.roundTripMicros, report.jitterMicros, report.stalenessMicros]) out.varint(micros);
  out.varint(report.statesReceived);
  out.varint(report.statesLost);
  return out.finish();
}

/** Asks for a query's rows; `query` is our number for it. */
export function subscribe(query: number, text: string): Uint8Array<ArrayBuffer> {
  const bytes = encodeUtf8(text);
  if (bytes.length > QUERY_BYTES_MAX) throw new RangeError(`a query of ${bytes.length} bytes; ${QUERY_BYTES_MAX} are allowed`);
  const out = new Writer();
  out.u8(0x07);
  out.varint(query);
  out.lengthed(bytes);
  return out.finish();
}

/** Ends a query. */
export function unsubscribe(query: number): Uint8Array<ArrayBuffer> {
  const out = new Writer();
  out.u8(0x08);
  out.varint(query);
  return out.finish();
}
