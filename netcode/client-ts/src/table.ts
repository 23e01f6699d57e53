/**
 * A table of the replica: the rows of one type, as a sparse set.
 *
 * Entities have small local numbers ("locals"), handed out by the replica; `rowOf[local]` is the entity's row,
 * and rows lie densely in columns. So a join is two array reads per entity, and nothing is hashed.
 *
 * While a frame is applied nothing moves: a removed row is only marked, and {@link Table.settle} carries the
 * removals out at the frame's end, when it also finds what has changed on the whole.
 */

import { columnOf, sameValue } from "./column.ts";
import type { Column } from "./encoding.ts";
import { isFlat, type RowDef, sizeOf } from "./schema.ts";
import type { Topic } from "./topic.ts";

/** What became of a row in the present frame. */
const TOUCHED = 1;
const INSERTED = 2;
const WRITTEN = 4;
const CHANGED = 8;
const REWRITTEN = 16;

/** A row as the application sees it. Not to be changed: it is shared until its row changes. */
export type Row = Readonly<Record<string, unknown>>;

/** What a frame changed in a table, by locals. `before[i]` belongs to `updated[i]`, `last[i]` to `removed[i]`. */
export interface TableChanges {
  inserted: number[];
  updated: number[];
  before: (Row | undefined)[];
  removed: number[];
  last: (Row | undefined)[];
}

/** The rows of one type. */
export class Table {
  readonly def: RowDef;
  readonly columns: readonly Column[];
  /** Bytes of a row's fixed part. */
  readonly rowBytes: number;
  /** Whether all fields are of fixed size. */
  readonly flat: boolean;
  /** The mask of all fields. */
  readonly wholeMask: bigint;
  /** How many rows there are. */
  count = 0;
  /** The entity of each row. */
  locals = new Int32Array(0);
  /** The row of each entity, or -1. */
  rowOf = new Int32Array(0);
  /** Number and tick of the frame that last wrote each row, and the tick of the one that had written it before. */
  numbers = new Float64Array(0);
  ticks = new Float64Array(0);
  earlier = new Float64Array(0);
  /** The first topic that holds each row; `null` for a row that the present frame has removed. */
  private readonly holders: (Topic | null)[] = [];
  /** The other topics that hold an entity's row, for the few rows that have several. */
  private readonly others = new Map<number, Topic[]>();
  /** What the newest frame changed; the arrays are used again for the next. */
  readonly changes: TableChanges = { inserted: [], updated: [], before: [], removed: [], last: [] };
  /** Whether somebody wants to know rows as they were before an update or removal. */
  watched = false;
  private readonly fields: readonly string[];
  private stage: readonly Column[] = [];
  private stageRows = 0;
  private marks = new Uint8Array(0);
  private readonly objects: (Row | undefined)[] = [];
  private readonly old: (Row | undefined)[] = [];
  private readonly touched: number[] = [];

  constructor(def: RowDef) {
    this.def = def;
    this.fields = def.fields.map((field) => field.name);
    this.columns = def.fields.map((field) => columnOf(field, `${def.name}.${field.name}`));
    this.flat = def.fields.every(({ type }) => isFlat(type));
    this.wholeMask = (1n << BigInt(def.fields.length)) - 1n;
    this.rowBytes = def.fields.reduce((sum, field) => sum + sizeOf(field.type), 0);
  }

  /** The row of `local`, or -1. */
  find(local: number): number {
    return local < this.rowOf.length ? this.rowOf[local]! : -1;
  }

  /** Row `at` as an object; the same one until the row changes. */
  object(at: number): Row {
    const known = this.objects[at];
    if (known) return known;
    const made: Record<string, unknown> = {};
    for (let index = 0; index < this.columns.length; index++) made[this.fields[index]!] = this.columns[index]!.get(at);
    this.objects[at] = made;
    return made;
  }

  /** Adds an empty row for `local`, held by `holder`, to be written at once. */
  insert(local: number, holder: Topic): number {
    const at = this.count++;
    if (at >= this.locals.length) this.grow(Math.max(64, at * 2));
    if (local >= this.rowOf.length) this.growEntities(local + 1);
    this.locals[at] = local;
    this.rowOf[local] = at;
    this.holders[at] = holder;
    this.numbers[at] = this.ticks[at] = this.earlier[at] = -1;
    this.marks[at] = TOUCHED | INSERTED;
    this.objects[at] = undefined;
    this.old[at] = undefined;
    this.touched.push(local);
    return at;
  }

  /** Says that row `at` is about to be written. */
  beforeWrite(at: number): void {
    const mark = this.touch(at);
    this.marks[at] = mark | WRITTEN | (mark & WRITTEN ? REWRITTEN : 0);
  }

  /** Says that the write of row `at` has changed it. */
  written(at: number): void {
    this.marks[at]! |= CHANGED;
    this.objects[at] = undefined;
  }

  /** Says that a frame has written row `at`. What is older than the newest that did does not count. */
  stamp(at: number, number: number, tick: number): void {
    if (number > this.numbers[at]!) this.numbers[at] = number;
    if (tick <= this.ticks[at]!) return;
    this.earlier[at] = this.ticks[at]!;
    this.ticks[at] = tick;
  }

  /** Whether `topic` holds row `at`. */
  isHeld(at: number, topic: Topic): boolean {
    return this.holders[at] === topic || (this.others.size > 0 && (this.others.get(this.locals[at]!)?.includes(topic) ?? false));
  }

  /** `topic` holds row `at` from now on, perhaps beside others. */
  hold(at: number, topic: Topic): void {
    if (this.holders[at] === null) this.holders[at] = topic;
    if (this.isHeld(at, topic)) return;
    const local = this.locals[at]!;
    const others = this.others.get(local);
    if (others) others.push(topic);
    else this.others.set(local, [topic]);
  }

  /** `topic` lets go of row `at`. When nobody holds it, it goes at the frame's end, unless it is set again before. */
  release(at: number, topic: Topic): void {
    if (!this.isHeld(at, topic)) return;
    const local = this.locals[at]!;
    const others = this.others.get(local);
    if (!others) {
      this.touch(at);
      this.holders[at] = null;
      return;
    }
    const left = others.filter((other) => other !== topic);
    if (this.holders[at] === topic) this.holders[at] = left.pop()!;
    if (left.length > 0) this.others.set(local, left);
    else this.others.delete(local);
  }

  /** Columns like these, with room for `count` rows, for values that are yet to be checked. */
  staged(count: number): readonly Column[] {
    if (this.stage.length === 0 || count > this.stageRows) {
      this.stageRows = Math.max(64, count, this.stageRows * 2);
      this.stage = this.def.fields.map((field) => columnOf(field, `${this.def.name}.${field.name}`));
      for (const column of this.stage) column.grow(this.stageRows);
    }
    return this.stage;
  }

  private touch(at: number): number {
    const mark = this.marks[at]!;
    if (mark & TOUCHED) return mark;
    this.marks[at] = mark | TOUCHED;
    this.touched.push(this.locals[at]!);
    if (this.watched) this.old[at] = this.object(at);
    return mark | TOUCHED;
  }

  /** Ends a frame: carries removals out and puts the net changes into {@link changes}. Whether there are any. */
  settle(): boolean {
    const { changes, touched } = this;
    if (touched.length === 0) return false;
    changes.inserted.length = changes.updated.length = changes.removed.length = 0;
    changes.before.length = changes.last.length = 0;
    for (const local of touched) {
      const at = this.rowOf[local]!;
      const mark = this.marks[at]!;
      const old = this.old[at];
      this.marks[at] = 0;
      this.old[at] = undefined;
      if (this.holders[at] === null) {
        if (!(mark & INSERTED)) {
          changes.removed.push(local);
          changes.last.push(old);
        }
        this.drop(at, local);
      } else if (mark & INSERTED) {
        changes.inserted.push(local);
      } else if (mark & CHANGED && !(mark & REWRITTEN && old && sameValue(old, this.object(at)))) {
        changes.updated.push(local);
        changes.before.push(old);
      }
    }
    touched.length = 0;
    return changes.inserted.length + changes.updated.length + changes.removed.length > 0;
  }

  /** Takes row `at` out; the last row takes its place. */
  private drop(at: number, local: number): void {
    const last = --this.count;
    this.rowOf[local] = -1;
    if (at !== last) {
      const moved = this.locals[last]!;
      this.locals[at] = moved;
      this.rowOf[moved] = at;
      this.holders[at] = this.holders[last]!;
      this.numbers[at] = this.numbers[last]!;
      this.ticks[at] = this.ticks[last]!;
      this.earlier[at] = this.earlier[last]!;
      this.marks[at] = this.marks[last]!;
      this.objects[at] = this.objects[last];
      this.old[at] = this.old[last];
      for (const column of this.columns) column.copy(last, at);
    }
    this.marks[last] = 0;
    this.holders[last] = null;
    this.objects[last] = undefined;
    this.old[last] = undefined;
    for (const column of this.columns) column.clear(last);
  }

  private grow(capacity: number): void {
    this.locals = copied(this.locals, new Int32Array(capacity));
    this.numbers = copied(this.numbers, new Float64Array(capacity));
    this.ticks = copied(this.ticks, new Float64Array(capacity));
    this.earlier = copied(this.earlier, new Float64Array(capacity));
    this.marks = copied(this.marks, new Uint8Array(capacity));
    for (const column of this.columns) column.grow(capacity);
  }

  private growEntities(need: number): void {
    this.rowOf = copied(this.rowOf, new Int32Array(Math.max(need, this.rowOf.length * 2, 64)).fill(-1));
  }
}

/** `to`, which is longer, with the content of `from` at its beginning. */
function copied<T extends Int32Array | Uint8Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
