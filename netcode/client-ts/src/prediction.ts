/**
 * Prediction: what the own inputs do is shown at once, not when the server has told of it.
 *
 * Inputs are kept by tick. What the server says of tick T is the truth of that tick: the prediction goes back to it and does
 * the inputs behind T again. Where that differs from what was shown, the difference is taken back over 100 ms.
 */

import { Blend, type Values } from "./blend.ts";
import type { Table } from "./table.ts";

/** Inputs that are kept; a server that is so far behind has lost us. */
const INPUTS_MAX = 64;

/** Over how long an error is taken back, in milliseconds. */
const SMOOTH_MS = 100;

/** A row of which the server says nothing for so many ticks has not changed in between, although inputs came. */
const QUIET_TICKS = 6;

/**
 * What an input does to a row in `seconds`, as the module does it: changes `row`, which is a copy. It may depend on nothing
 * else. An error that it throws ends the prediction.
 */
export type StepFunction<T, A> = (row: T, args: Readonly<A>, seconds: number) => void;

/** How {@link Client.predict} behaves. */
export interface PredictionOptions {
  /** An error beyond this length is a jump: what is shown follows at once. Default: 5. */
  readonly snapDistance?: number;
}

/** A row ahead of the server. */
export interface Predicted<T> {
  /** The row as it is to be shown at `now`; `undefined` when it is not in sight. */
  get(now?: number): T | undefined;
  /** How far the last correction moved it. */
  readonly correction: number;
  /** Ends the prediction. */
  stop(): void;
}

interface Input {
  readonly tick: number;
  readonly args: Readonly<Values>;
  /** The row after it. */
  after: Values;
}

/** One row's prediction. */
export class Prediction {
  /** How far the last correction moved the row. */
  correction = 0;
  private readonly table: Table;
  private readonly local: () => number;
  private readonly step: StepFunction<unknown, unknown>;
  private readonly seconds: number;
  private readonly snap: number;
  private readonly blend: Blend;
  private inputs: Input[] = [];
  private base: Values | undefined;
  private baseTick = -1;
  /** What was shown last, where, and what of it is an error yet. */
  private shown: { tick: number; now: number } | undefined;
  private error: { off: Values; since: number } | undefined;

  /** @param local gives the entity's local number. */
  constructor(table: Table, local: () => number, step: StepFunction<unknown, unknown>, seconds: number, options: PredictionOptions) {
    this.table = table;
    this.local = local;
    this.step = step;
    this.seconds = seconds;
    this.snap = options.snapDistance ?? 5;
    this.blend = new Blend(table.def.fields);
  }

  /** An input of ours is for `tick`. */
  input(tick: number, args: Readonly<Values>): void {
    this.change(() => {
      const last = this.inputs.at(-1)?.after ?? this.base;
      if (!last) return;
      this.inputs.push({ tick, args, after: this.after(last, args) });
      if (this.inputs.length > INPUTS_MAX) this.inputs.shift();
    });
  }

  /** Forgets inputs, and with them all that was foretold. */
  clear(): void {
    this.inputs = [];
    this.error = undefined;
  }

  /** Something has come from the server, the newest of `tick`. */
  follow(tick: number): void {
    const row = this.table.find(this.local());
    if (row < 0) {
      this.clear();
      this.base = this.shown = undefined;
      return;
    }
    const truth = this.table.object(row) as Values;
    const truthTick = Math.max(this.table.ticks[row]!, tick - QUIET_TICKS);
    if (truth === this.base && truthTick === this.baseTick) return;
    this.correction = this.change(() => {
      this.base = truth;
      this.baseTick = truthTick;
      this.inputs = this.inputs.filter((input) => input.tick > truthTick);
      let last = truth;
      for (const input of this.inputs) last = input.after = this.after(last, input.args);
    });
  }

  /** The row as of `tick` (with fraction), less what of an error is left at `now`. */
  get(tick: number, now: number): Values | undefined {
    const row = this.at(tick);
    if (!row) return undefined;
    this.shown = { tick, now };
    const left = this.left(now);
    return left > 0 ? this.blend.moved(row, this.error!.off, left) : row;
  }

  /** Changes the prediction such that what is shown does not jump. Returns by how much it would have. */
  private change(act: () => void): number {
    const { blend, shown } = this;
    const foretold = shown && this.at(shown.tick);
    const before = shown && this.get(shown.tick, shown.now);
    act();
    const after = shown && this.at(shown.tick);
    if (!foretold || !before || !after) return 0;
    // What was left of an earlier error is taken back with this one.
    const off = blend.difference(before, after);
    const size = blend.size(off);
    this.error = size > 0 && size <= this.snap ? { off, since: shown.now } : undefined;
    return blend.size(blend.difference(foretold, after));
  }

  /** The share of the error that is not taken back. */
  private left(now: number): number {
    return this.error ? Math.max(0, 1 - (now - this.error.since) / SMOOTH_MS) : 0;
  }

  private at(tick: number): Values | undefined {
    const whole = Math.floor(tick);
    let from = this.base;
    let to = this.base;
    for (const input of this.inputs) {
      if (input.tick <= whole) from = input.after;
      if (input.tick <= whole + 1) to = input.after;
    }
    return from && to && this.blend.between(from, to, tick - whole);
  }

  private after(row: Values, args: Readonly<Values>): Values {
    const copy = structuredClone(row);
    this.step(copy, args, this.seconds);
    return copy;
  }
}
