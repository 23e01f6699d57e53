/** The other end of a client, for tests: a WebSocket in memory, and a writer of server messages. */

import assert from "node:assert/strict";

import { Reader, Writer } from "../src/bytes.ts";
import { hexBytes } from "../src/row.ts";
import type { WebSocketLike } from "../src/socket.ts";

/** A WebSocket whose other end is the test. */
export class FakeSocket implements WebSocketLike {
  static last: FakeSocket;
  binaryType = "blob";
  readyState = 0;
  onopen: ((event: never) => unknown) | null = null;
  onmessage: ((event: never) => unknown) | null = null;
  onclose: ((event: never) => unknown) | null = null;
  onerror: ((event: never) => unknown) | null = null;
  readonly url: string;
  readonly sent: Uint8Array[] = [];

  constructor(url: string) {
    this.url = url;
    FakeSocket.last = this;
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.({} as never);
  }

  send(data: Uint8Array): void {
    this.sent.push(data.slice());
  }

  close(): void {
    this.readyState = 3;
  }

  /** The connection breaks. */
  drop(code = 1006): void {
    this.readyState = 3;
    this.onclose?.({ code } as never);
  }

  /** The server says something. */
  say(data: Uint8Array | string): void {
    const copy = typeof data === "string" ? data : data.slice().buffer;
    this.onmessage?.({ data: copy } as never);
  }

  /** Calls that were sent: their number, reducer and arguments. */
  calls(): { seq: number; reducer: number; args: Uint8Array }[] {
    const calls: { seq: number; reducer: number; args: Uint8Array }[] = [];
    for (const message of this.sent.slice(1)) {
      const reader = Reader.of(message);
      while (reader.left > 0) {
        const kind = reader.u8();
        if (kind === 2) calls.push({ seq: reader.varint(), reducer: reader.varint(), args: reader.lengthed().slice() });
        else if (kind === 3) reader.take(8), reader.varint();
        else if (kind === 6) for (let left = 6; left > 0; left--) reader.varint();
        else if (kind === 7) reader.varint(), reader.lengthed();
        else if (kind === 8) reader.varint();
        else assert.equal(kind, 4, "a message of a kind that is not expected");
      }
    }
    return calls;
  }
}

/** The queries that were asked and ended, as texts. */
export function queries(socket: FakeSocket): string[] {
  const found: string[] = [];
  for (const message of socket.sent.slice(1)) {
    const reader = Reader.of(message);
    while (reader.left > 0) {
      const kind = reader.u8();
      if (kind === 7) found.push(`${reader.varint()} ${reader.text()}`);
      else if (kind === 8) found.push(`${reader.varint()} ended`);
      else if (kind === 3) reader.take(8), reader.varint();
      else if (kind === 6) for (let left = 6; left > 0; left--) reader.varint();
      else reader.at = reader.end;
    }
  }
  return found;
}

function message(kind: number, build: (out: Writer) => void): Uint8Array {
  const out = new Writer();
  out.u8(kind);
  build(out);
  return out.finish();
}

function u64s(out: Writer, value: bigint): void {
  out.u64(BigInt.asUintN(64, value));
}

/** What a Welcome says beside the schema. */
export interface Greeting {
  readonly description?: string;
  readonly resumed?: boolean;
  readonly session?: bigint;
  readonly secret?: number;
  /** The last call that was taken. */
  readonly calls?: number;
  readonly tick?: number;
}

export function welcome(schema: string, identity: string, { description, resumed = false, session = 5n, secret = 7, calls = 0, tick = 100 }: Greeting = {}): Uint8Array {
  return message(0x81, (out) => {
    out.u8(1);
    out.u8((description === undefined ? 0 : 1) | (resumed ? 2 : 0));
    u64s(out, session);
    out.raw(new Uint8Array(16).fill(secret));
    out.raw(hexBytes(identity, "identity"));
    out.varint(tick);
    out.varint(50_000);
    u64s(out, 1_700_000_000_000_000n);
    out.raw(hexBytes(schema, "schema"));
    out.varint(calls);
    out.varint(0);
    if (description !== undefined) out.lengthed(new TextEncoder().encode(description));
  });
}

/** The answer to a ping that was sent at `time`, in microseconds. `slack` is that of inputs. */
export function pong(time: bigint, slack?: number): Uint8Array {
  return message(0x83, (out) => {
    u64s(out, time);
    out.varint(100);
    u64s(out, 1_700_000_000_000_000n);
    out.varint(1_000);
    out.u8(slack === undefined ? 0 : 1);
    if (slack !== undefined) out.varint(slack < 0 ? -slack * 2 - 1 : slack * 2);
  });
}

export function closed(code: number, text: string): Uint8Array {
  return message(0x84, (out) => {
    out.raw(Uint8Array.of(code, 0));
    out.lengthed(new TextEncoder().encode(text));
  });
}

/** Sections of a block, as bytes. */
export type Block = readonly number[];

/** What a frame carries; its number is that of its tick, if nothing else is said. */
export interface Parts {
  readonly number?: number;
  readonly left?: readonly number[];
  readonly entered?: readonly Block[];
  readonly changed?: readonly Block[];
  readonly states?: readonly Block[];
  readonly results?: readonly Block[];
  readonly queries?: readonly Block[];
}

/** A frame of blocks and results, each given as bytes. */
export function frame(tick: number, parts: Parts): Uint8Array {
  return message(0x82, (out) => {
    out.varint(parts.number ?? tick);
    out.varint(tick);
    u64s(out, BigInt(tick) * 50_000n);
    out.varint(parts.left?.length ?? 0);
    parts.left?.forEach((topic) => out.varint(topic));
    for (const blocks of [parts.entered ?? [], parts.changed ?? [], parts.states ?? []]) {
      out.varint(blocks.length);
      for (const block of blocks) out.lengthed(Uint8Array.from(block));
    }
    for (const answers of [parts.results ?? [], parts.queries ?? []]) {
      out.varint(answers.length);
      for (const answer of answers) out.raw(Uint8Array.from(answer));
    }
  });
}

/** A message of the latest lane: topics with their sections. */
export function state(tick: number, states: readonly Block[], number = tick): Uint8Array {
  return message(0x85, (out) => {
    out.varint(number);
    out.varint(tick);
    for (const block of states) out.lengthed(Uint8Array.from(block));
  });
}

/** The bytes of a row of floats and the like. */
export function f32(...values: number[]): number[] {
  return [...new Uint8Array(Float32Array.from(values).buffer)];
}
