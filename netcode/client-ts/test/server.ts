/** The other end of a client, for tests: a WebSocket in memory, and a writer of server messages. */

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
        else if (kind === 3) reader.u64();
      }
    }
    return calls;
  }
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

export function welcome(schema: string, identity: string, description?: string): Uint8Array {
  return message(0x81, (out) => {
    out.u8(1);
    u64s(out, 5n);
    out.raw(hexBytes(identity, "identity"));
    out.varint(100);
    out.varint(50_000);
    u64s(out, 1_700_000_000_000_000n);
    out.raw(hexBytes(schema, "schema"));
    out.u8(description === undefined ? 0 : 1);
    if (description !== undefined) out.lengthed(new TextEncoder().encode(description));
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

/** A frame of blocks and results, each given as bytes. */
export function frame(tick: number, parts: { left?: number[]; entered?: Block[]; changed?: Block[]; results?: Block[] }): Uint8Array {
  return message(0x82, (out) => {
    out.varint(tick);
    u64s(out, BigInt(tick) * 50_000n);
    out.varint(parts.left?.length ?? 0);
    parts.left?.forEach((topic) => out.varint(topic));
    for (const blocks of [parts.entered ?? [], parts.changed ?? []]) {
      out.varint(blocks.length);
      for (const block of blocks) out.lengthed(Uint8Array.from(block));
    }
    out.varint(parts.results?.length ?? 0);
    for (const result of parts.results ?? []) out.raw(Uint8Array.from(result));
  });
}

/** The bytes of a row of floats and the like. */
export function f32(...values: number[]): number[] {
  return [...new Uint8Array(Float32Array.from(values).buffer)];
}
