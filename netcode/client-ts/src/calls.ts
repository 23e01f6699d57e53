/** Calls that wait for their answers. */

import { Reader, Writer } from "./bytes.ts";
import { CallFailed, CallRefused, type ConnectionClosed, ProtocolError } from "./errors.ts";
import { call, type CallReply } from "./messages.ts";
import { rowCodec, type RowCodec } from "./row.ts";
import type { ModuleDef } from "./schema.ts";

/** The most calls that may wait at once; a further one fails as `Busy` without being sent. */
export const PENDING_CALLS_MAX = 1024;

interface Callee {
  readonly number: number;
  readonly name: string;
  readonly args: RowCodec;
  readonly returns: RowCodec | null;
  readonly refusals: readonly { readonly name: string; readonly fields: RowCodec }[];
}

interface Pending {
  readonly callee: Callee;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Numbers calls, and brings answers to whoever waits for them. */
export class Calls {
  private readonly callees = new Map<string, Callee>();
  private readonly pending = new Map<number, Pending>();
  private nextSeq = 1;

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

  /** Sends a call; the promise is settled by {@link settle}. */
  send(name: string, args: object, transmit: (message: Uint8Array<ArrayBuffer>) => void): Promise<unknown> {
    const callee = this.callees.get(name);
    if (!callee) return Promise.reject(new CallFailed(name, "UnknownReducer", `the module has no reducer ${name} for clients`, 0n));
    if (this.pending.size >= PENDING_CALLS_MAX) {
      return Promise.reject(new CallFailed(name, "Busy", `${PENDING_CALLS_MAX} calls wait for an answer already`, 0n));
    }
    return new Promise((resolve, reject) => {
      const row = new Writer();
      callee.args.write(row, args as Readonly<Record<string, unknown>>);
      const seq = this.nextSeq;
      const message = call(seq, callee.number, row.finish());
      this.nextSeq = seq === 0xffffffff ? 1 : seq + 1;
      this.pending.set(seq, { callee, resolve, reject });
      transmit(message);
    });
  }

  /** Brings an answer to its caller. Bytes that are no answer to its call are a {@link ProtocolError}. */
  settle({ seq, result }: CallReply): void {
    const pending = this.pending.get(seq);
    if (!pending) throw new ProtocolError(`an answer to call ${seq}, which was not made`);
    this.pending.delete(seq);
    const { callee } = pending;
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
