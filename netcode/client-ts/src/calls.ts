/** Calls that wait for their answers. */

import { Reader, Writer } from "./bytes.ts";
import { CallFailed, CallRefused, type ConnectionClosed, ProtocolError } from "./errors.ts";
import type { CallReply } from "./replies.ts";
import { call } from "./requests.ts";
import { rowCodec, type RowCodec } from "./row.ts";
import type { ModuleDef } from "./schema.ts";

/** The most calls that may wait at once; a further one fails as `Busy` without being sent. */
export const PENDING_CALLS_MAX = 1024;

/** The most bytes of calls that may wait, with the same consequence: they are kept, to be sent again when a session goes on. */
export const PENDING_BYTES_MAX = 16 << 20;

interface Callee {
  readonly number: number;
  readonly name: string;
  readonly args: RowCodec;
  readonly returns: RowCodec | null;
  readonly refusals: readonly { readonly name: string; readonly fields: RowCodec }[];
}

interface Pending {
  readonly callee: Callee;
  readonly message: Uint8Array<ArrayBuffer>;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Numbers calls, and brings answers to whoever waits for them. */
export class Calls {
  private readonly callees = new Map<string, Callee>();
  /** By number, which is the order of sending. */
  private readonly pending = new Map<number, Pending>();
  private bytes = 0;
  private lastSeq = 0;
  private received = 0;

  constructor(module: ModuleDef) {
    module.reducers.forEach((reducer, number) => {
      if (reducer === null) return;
      const { name } = reducer;
      const returns = reducer.returns ?? null;
      this.callees.set(name, {
        number,
        name,
        args: rowCodec(reducer.params, name),
        returns: returns === null ? null : rowCodec([{ name: "value", type: returns }], `${name}'s result`),
        refusals: (reducer.refusals ?? []).map((refusal) => ({
          name: refusal.name,
          fields: rowCodec(refusal.fields, `${name}.${refusal.name}`),
        })),
      });
    });
  }

  /** How many calls wait. */
  get waiting(): number {
    return this.pending.size;
  }

  /** How many results the session has brought. */
  get results(): number {
    return this.received;
  }

  /**
   * A session begins, or goes on: the server has taken its calls up to `taken`, and we have had `results` of their
   * results.
   */
  start(taken: number, results: number): void {
    this.lastSeq = Math.max(this.lastSeq, taken);
    this.received = results;
  }

  /** Another session begins: what waits is lost with the one before. */
  restart(error: ConnectionClosed): void {
    this.abandon(error);
    this.lastSeq = this.received = 0;
  }

  /** The messages of calls behind number `taken`, in order: the server has not had them. */
  *after(taken: number): Generator<Uint8Array<ArrayBuffer>> {
    for (const [seq, { message }] of this.pending) if (seq > taken) yield message;
  }

  /** Makes a call; `transmit` is given the message to send. The promise is settled by the answer. */
  send(name: string, args: object, transmit: (message: Uint8Array<ArrayBuffer>) => void): Promise<unknown> {
    const callee = this.callees.get(name);
    if (!callee) return Promise.reject(new CallFailed(name, "UnknownReducer", `the module has no reducer ${name} for clients`, 0n));
    if (this.pending.size >= PENDING_CALLS_MAX || this.bytes >= PENDING_BYTES_MAX) {
      return Promise.reject(new CallFailed(name, "Busy", `${this.pending.size} calls wait for an answer already`, 0n));
    }
    return new Promise((resolve, reject) => {
      const row = new Writer();
      callee.args.write(row, args as Readonly<Record<string, unknown>>);
      const message = call(this.lastSeq + 1, callee.number, row.finish());
      this.lastSeq++;
      this.bytes += message.length;
      this.pending.set(this.lastSeq, { callee, message, resolve, reject });
      transmit(message);
    });
  }

  /** Brings an answer to its caller. Bytes that are no answer to its call are a {@link ProtocolError}. */
  settle({ seq, result }: CallReply): void {
    if (seq === 0 || seq > this.lastSeq) throw new ProtocolError(`an answer to call ${seq}, which was not made`);
    this.received++;
    const pending = this.pending.get(seq);
    if (!pending) return; // made by the page before a reload, or answered before
    this.pending.delete(seq);
    const { callee, message } = pending;
    this.bytes -= message.length;
    if (result.status === "ok") {
      pending.resolve(readResult(callee, result.payload));
    } else if (result.status === "refused") {
      const refusal = callee.refusals[result.variant];
      if (!refusal) throw new ProtocolError(`${callee.name} has no refusal ${result.variant}`);
      const fields = readRow(refusal.fields, result.fields);
      pending.reject(new CallRefused(callee.name, { type: refusal.name, ...fields }, result.message));
    } else {
      pending.reject(new CallFailed(callee.name, result.code, result.message, result.id));
    }
  }

  /** Ends all waiting. */
  abandon(error: ConnectionClosed): void {
    for (const { reject } of this.pending.values()) reject(error);
    this.pending.clear();
    this.bytes = 0;
  }
}

function readResult(callee: Callee, payload: Uint8Array): unknown {
  if (callee.returns !== null) return readRow(callee.returns, payload).value;
  if (payload.length > 0) throw new ProtocolError(`${callee.name} returns nothing, but ${payload.length} bytes came`);
  return undefined;
}

function readRow(codec: RowCodec, bytes: Uint8Array): Record<string, unknown> {
  return codec.read(Reader.of(bytes), bytes.length);
}
