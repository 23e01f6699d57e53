/**
 * Smooth positions: what a `Vec2` field was at a moment a little in the past.
 *
 * The server says where things are by tick; pictures are drawn between ticks. Each entity keeps its last few
 * values with their ticks, and a look-up mixes the two around the moment. Values that did not change are not
 * sent, so a change in tick `t` means that the old value held until `t - 1`.
 */

import { LaneColumn } from "./lanes.ts";
import type { Table, TableChanges } from "./table.ts";
import type { Vec2 } from "./values.ts";

/** Values that are kept of each entity. A power of two. */
const KEEP = 8;

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
  // Ring buffers of KEEP values per local: tick, x, y.
  private ticks = new Float64Array(0);
  private points = new Float32Array(0);
  /** How many values were ever kept of each local since it appeared. */
  private counts = new Uint32Array(0);

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
  }

  /** Starts with what the table holds now. */
  start(tick: number): void {
    for (let row = 0; row < this.table.count; row++) this.restart(this.table.locals[row]!, tick);
  }

  /** Takes in what a frame of `tick` changed. */
  absorb(tick: number, changes: TableChanges): void {
    for (const local of changes.removed) if (local < this.counts.length) this.counts[local] = 0;
    for (const local of changes.inserted) this.restart(local, tick);
    for (const local of changes.updated) this.push(local, tick);
  }

  /** Where `local` was at `tick`, in `out`; `false` when it is not known at all. */
  sample(local: number, tick: number, out: Vec2): boolean {
    const count = this.counts[local] ?? 0;
    if (count === 0) return false;
    const base = local * KEEP;
    let later = base + ((count - 1) % KEEP);
    let index = count - 1;
    const oldest = Math.max(0, count - KEEP);
    if (tick < this.ticks[later]!) {
      while (index > oldest) {
        const earlier = base + ((index - 1) % KEEP);
        if (this.ticks[earlier]! <= tick) return this.mix(earlier, later, tick, out);
        later = earlier;
        index--;
      }
    }
    out.x = this.points[later * 2]!;
    out.y = this.points[later * 2 + 1]!;
    return true;
  }

  private mix(earlier: number, later: number, tick: number, out: Vec2): boolean {
    const { points, ticks } = this;
    const x = points[earlier * 2]!;
    const y = points[earlier * 2 + 1]!;
    const dx = points[later * 2]! - x;
    const dy = points[later * 2 + 1]! - y;
    const part = (tick - ticks[earlier]!) / (ticks[later]! - ticks[earlier]!);
    const walked = Math.hypot(dx, dy) > this.snap ? 0 : part;
    out.x = x + dx * walked;
    out.y = y + dy * walked;
    return true;
  }

  private restart(local: number, tick: number): void {
    if (local >= this.counts.length) this.grow(local + 1);
    this.counts[local] = 0;
    this.put(local, tick);
  }

  private push(local: number, tick: number): void {
    const count = this.counts[local]!;
    const last = local * KEEP + ((count - 1) % KEEP);
    const lastTick = this.ticks[last]!;
    if (tick <= lastTick) {
      // A second change within the tick: only its outcome counts.
      this.counts[local] = count - 1;
    } else if (tick - lastTick > 1) {
      const { points } = this;
      const at = local * KEEP + (count % KEEP);
      this.ticks[at] = tick - 1;
      points[at * 2] = points[last * 2]!;
      points[at * 2 + 1] = points[last * 2 + 1]!;
      this.counts[local] = count + 1;
    }
    this.put(local, tick);
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
    const counts = new Uint32Array(size);
    counts.set(this.counts);
    const ticks = new Float64Array(size * KEEP);
    ticks.set(this.ticks);
    const points = new Float32Array(size * KEEP * 2);
    points.set(this.points);
    this.counts = counts;
    this.ticks = ticks;
    this.points = points;
  }
}
