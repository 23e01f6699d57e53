/**
 * Smooth positions: what a `Vec2` field was at a moment a little in the past.
 *
 * The server says where things are by tick; pictures are drawn between ticks. Each entity keeps its last few
 * values with their ticks, and a look-up mixes the two around the moment.
 *
 * How often values come depends on the entity: what is far away is told of every second or fourth tick. So each entity
 * has a delay of its own, the time between its last values, which follows that evenly. Where values are overdue, the movement
 * goes on for as long again, then stands.
 */

import { LaneColumn } from "./lanes.ts";
import type { Table, TableChanges } from "./table.ts";
import type { Vec2 } from "./values.ts";

/** Values that are kept of each entity. A power of two. */
const KEEP = 8;

/** On the latest lane: values that are farther apart than this, in ticks, are of something that stood in between. */
const BEAT_MAX = 8;

/** How much of the time that passes an entity's delay may change by. */
const SLEW = 0.1;

/** The most ticks that a movement goes on without news. */
const AHEAD_TICKS_MAX = 2;

/** How {@link Interpolation} behaves. */
export interface InterpolationOptions {
  /** A change by more than this is a jump and is not drawn as a movement. Default: no limit. */
  readonly snapDistance?: number;
}

/** The past of a `Vec2` field. Made by {@link Client.interpolate}. */
export class Interpolation {
  private readonly table: Table;
  private readonly column: LaneColumn;
  private readonly snap: number;
  /** How far values may be apart without having stood in between, in ticks: 1 where every change is sent. */
  private readonly beatMax: number;
  // Ring buffers of KEEP values per local: tick, x, y.
  private ticks = new Float64Array(0);
  private points = new Float32Array(0);
  /** How many values were ever kept of each local since it appeared. */
  private counts = new Uint32Array(0);
  /** The time between the values of each local, in ticks, smoothed. */
  private beats = new Float32Array(0);
  /** By how much more than the others each local is drawn late, in ticks, and when it was last drawn. */
  private delays = new Float32Array(0);
  private drawn = new Float64Array(0);

  /** Follows field `field` of `table`; throws a `TypeError` when that is no field of two floats. */
  constructor(table: Table, field: string, options: InterpolationOptions = {}) {
    const index = table.def.fields.findIndex((def) => def.name === field);
    const column = table.columns[index];
    if (!(column instanceof LaneColumn) || column.lanes !== 2) {
      throw new TypeError(`${table.def.name}.${field} is no vector of two numbers`);
    }
    this.table = table;
    this.column = column;
    this.snap = options.snapDistance ?? Infinity;
    this.beatMax = (table.def.latest ?? table.def.spatial) ? BEAT_MAX : 1;
  }

  /** Starts with what the table holds now. */
  start(tick: number): void {
    for (let row = 0; row < this.table.count; row++) this.restart(this.table.locals[row]!, tick);
  }

  /** Takes in what a frame or state of `tick` changed. */
  absorb(tick: number, changes: TableChanges): void {
    for (const local of changes.removed) if (local < this.counts.length) this.counts[local] = 0;
    for (const local of changes.inserted) this.restart(local, tick);
    for (const local of changes.updated) this.push(local, tick);
  }

  /** Where `local` was at `tick`, but for the delay of its own, in `out`; `false` when it is not known at all. */
  sample(local: number, tick: number, out: Vec2): boolean {
    const count = this.counts[local] ?? 0;
    if (count === 0) return false;
    const moment = tick - this.delay(local, tick);
    const base = local * KEEP;
    let later = base + ((count - 1) % KEEP);
    let index = count - 1;
    const oldest = Math.max(0, count - KEEP);
    if (moment < this.ticks[later]!) {
      while (index > oldest) {
        const earlier = base + ((index - 1) % KEEP);
        if (this.ticks[earlier]! <= moment) return this.mix(earlier, later, moment, out);
        later = earlier;
        index--;
      }
    } else if (index > oldest) {
      return this.goOn(local, base + ((index - 1) % KEEP), later, moment, out);
    }
    out.x = this.points[later * 2]!;
    out.y = this.points[later * 2 + 1]!;
    return true;
  }

  /** The delay follows the beat, but changes evenly, so that nothing jumps. */
  private delay(local: number, tick: number): number {
    const want = Math.max(0, this.beats[local]! - 1);
    const passed = tick - this.drawn[local]!;
    const delay = this.delays[local]!;
    const step = passed > BEAT_MAX || passed < 0 ? Infinity : passed * SLEW;
    const next = delay + Math.max(-step, Math.min(step, want - delay));
    this.delays[local] = next;
    this.drawn[local] = tick;
    return next;
  }

  private mix(earlier: number, later: number, moment: number, out: Vec2): boolean {
    const { points, ticks } = this;
    const x = points[earlier * 2]!;
    const y = points[earlier * 2 + 1]!;
    const dx = points[later * 2]! - x;
    const dy = points[later * 2 + 1]! - y;
    const part = (moment - ticks[earlier]!) / (ticks[later]! - ticks[earlier]!);
    const walked = part < 1 && Math.hypot(dx, dy) > this.snap ? 0 : part;
    out.x = x + dx * walked;
    out.y = y + dy * walked;
    return true;
  }

  /** News is overdue: goes on as between the last two values, unless it is known that nothing has changed since. */
  private goOn(local: number, earlier: number, last: number, moment: number, out: Vec2): boolean {
    const { points, table, ticks } = this;
    const end = ticks[last]!;
    const span = end - ticks[earlier]!;
    const jumped = Math.hypot(points[last * 2]! - points[earlier * 2]!, points[last * 2 + 1]! - points[earlier * 2 + 1]!) > this.snap;
    const stands = jumped || span > this.beatMax || this.beatMax === 1 || table.ticks[table.find(local)]! > end;
    const ahead = stands ? 0 : Math.min(moment - end, span, AHEAD_TICKS_MAX);
    return this.mix(earlier, last, end + ahead, out);
  }

  private restart(local: number, tick: number): void {
    if (local >= this.counts.length) this.grow(local + 1);
    this.counts[local] = 0;
    this.beats[local] = 1;
    this.delays[local] = 0;
    this.drawn[local] = -Infinity;
    this.put(local, tick);
  }

  private push(local: number, tick: number): void {
    const count = this.counts[local]!;
    const last = local * KEEP + ((count - 1) % KEEP);
    const lastTick = this.ticks[last]!;
    if (tick <= lastTick) {
      // A second change within the tick: only its outcome counts.
      this.counts[local] = count - 1;
      return this.put(local, tick);
    }
    const beat = this.beats[local]!;
    // The server may have said in between that nothing had changed.
    const heard = Math.max(lastTick, this.table.earlier[this.table.find(local)]!);
    const gap = tick - heard;
    if (gap <= this.beatMax) this.beats[local] = beat + (gap - beat) * (gap > beat ? 0.5 : 0.15);
    const stoodUntil = gap > this.beatMax ? tick - Math.max(1, Math.round(beat)) : heard;
    if (stoodUntil > lastTick && stoodUntil < tick) this.stand(local, last, stoodUntil);
    this.put(local, tick);
  }

  /** Keeps the last value once more: it held until `tick`. */
  private stand(local: number, last: number, tick: number): void {
    const at = local * KEEP + (this.counts[local]! % KEEP);
    this.ticks[at] = tick;
    this.points[at * 2] = this.points[last * 2]!;
    this.points[at * 2 + 1] = this.points[last * 2 + 1]!;
    this.counts[local]!++;
  }

  private put(local: number, tick: number): void {
    const row = this.table.find(local);
    const at = local * KEEP + (this.counts[local]! % KEEP);
    this.ticks[at] = tick;
    this.points[at * 2] = this.column.data[row * 2]!;
    this.points[at * 2 + 1] = this.column.data[row * 2 + 1]!;
    this.counts[local]!++;
  }

  private grow(need: number): void {
    const size = Math.max(need, this.counts.length * 2, 256);
    const grown = <T extends Uint32Array | Float32Array | Float64Array>(from: T, to: T): T => (to.set(from), to);
    this.counts = grown(this.counts, new Uint32Array(size));
    this.beats = grown(this.beats, new Float32Array(size));
    this.delays = grown(this.delays, new Float32Array(size));
    this.drawn = grown(this.drawn, new Float64Array(size));
    this.ticks = grown(this.ticks, new Float64Array(size * KEEP));
    this.points = grown(this.points, new Float32Array(size * KEEP * 2));
  }
}
