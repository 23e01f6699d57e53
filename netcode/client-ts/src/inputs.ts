/** Inputs: calls for a tick. They are sent so early that they are there when their tick is made, and again until it has passed. */

import { Writer } from "./bytes.ts";
import { input, INPUT_ENTRIES_MAX, type InputEntry } from "./requests.ts";
import { rowCodec, type RowCodec } from "./row.ts";
import type { ModuleDef } from "./schema.ts";

/** Of how many ticks each datagram repeats the inputs. */
const REPEAT_TICKS = 4;

/** The longest arguments of an input, in bytes. */
const ARGS_BYTES_MAX = 1024;

/** How inputs leave. */
export interface InputWay {
  /** By datagram; `false` where there are none, or it is too long for one. */
  sendLatest(message: Uint8Array<ArrayBuffer>): boolean;
  send(message: Uint8Array<ArrayBuffer>): void;
  /** The tick that an input of now is for, with fraction. */
  inputTick(now: number): number;
  /** An input has got its tick. */
  given(tick: number, reducer: number, args: Readonly<Record<string, unknown>>): void;
}

interface Kind {
  readonly name: string;
  readonly number: number;
  readonly args: RowCodec;
  /** The tick of the last one. */
  last: number;
  /** The arguments for the tick behind that, if there are any. */
  waiting: Readonly<Record<string, unknown>> | null;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** Gives inputs their ticks, one of a kind to each, and sends them. */
export class Inputs {
  private readonly tickMs: number;
  private readonly way: InputWay;
  private readonly kinds = new Map<string, Kind>();
  /** The newest first. */
  private sent: (InputEntry & { readonly tick: number })[] = [];

  constructor(module: ModuleDef, tickMs: number, way: InputWay) {
    this.tickMs = tickMs;
    this.way = way;
    module.reducers.forEach((reducer, number) => {
      if (reducer?.kind !== "input") return;
      const { name, params } = reducer;
      this.kinds.set(name, { name, number, args: rowCodec(params, name), last: -Infinity, waiting: null, timer: undefined });
    });
  }

  /**
   * Does what an input says in the next tick that has none of its kind. Where even the one behind that has, the newer
   * arguments replace the older. Returns the tick.
   */
  add(name: string, args: Readonly<Record<string, unknown>>, now: number): number {
    const kind = this.kinds.get(name);
    if (!kind) throw new TypeError(`the module has no input ${name}`);
    const next = this.nextTick(now);
    if (next > kind.last) return this.give(kind, next, args);
    kind.waiting = args;
    kind.timer ??= setTimeout(() => this.due(kind), this.untilFree(kind, now));
    return kind.last + 1;
  }

  /** Forgets everything: another session begins, or none goes on. */
  clear(): void {
    this.sent = [];
    for (const kind of this.kinds.values()) {
      clearTimeout(kind.timer);
      kind.timer = undefined;
      kind.waiting = null;
      kind.last = -Infinity;
    }
  }

  private nextTick(now: number): number {
    return Math.max(0, Math.ceil(this.way.inputTick(now)));
  }

  /** When the next tick's turn comes, in milliseconds from now. */
  private untilFree(kind: Kind, now: number): number {
    return Math.max(1, Math.ceil((kind.last - this.way.inputTick(now)) * this.tickMs));
  }

  private due(kind: Kind): void {
    kind.timer = undefined;
    const { waiting } = kind;
    if (!waiting) return;
    const now = performance.now();
    const next = this.nextTick(now);
    if (next <= kind.last) {
      kind.timer = setTimeout(() => this.due(kind), this.untilFree(kind, now));
      return;
    }
    kind.waiting = null;
    this.give(kind, next, waiting);
  }

  private give(kind: Kind, tick: number, args: Readonly<Record<string, unknown>>): number {
    const row = new Writer();
    kind.args.write(row, args);
    const bytes = row.finish();
    if (bytes.length > ARGS_BYTES_MAX) throw new RangeError(`arguments of ${bytes.length} bytes of ${kind.name}; ${ARGS_BYTES_MAX} are allowed`);
    const entry = { tick, reducer: kind.number, args: bytes };
    kind.last = tick;
    // Ticks descend, whatever the kinds.
    const at = this.sent.findIndex((other) => other.tick <= tick);
    this.sent.splice(at < 0 ? this.sent.length : at, 0, entry);
    const oldest = this.sent[0]!.tick - REPEAT_TICKS;
    this.sent = this.sent.filter((other) => other.tick > oldest).slice(0, INPUT_ENTRIES_MAX);
    this.way.given(tick, kind.number, args);
    if (!this.way.sendLatest(input(this.sent))) this.way.send(input([entry]));
    return tick;
  }
}
