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
import { type RowDef, sizeOf } from "./schema.ts";
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
  /** How many rows there are. */
  count = 0;
  /** The entity of each row. */
  locals = new Int32Array(0);
  /** The row of each entity, or -1. */
  rowOf = new Int32Array(0);
  /** The topic that each row came with; `null` for one that the present frame has removed. */
  readonly homes: (Topic | null)[] = [];
  /** What the newest frame changed; the arrays are used again for the next. */
  readonly changes: TableChanges = { inserted: [], updated: [], before: [], removed: [], last: [] };
  /** Whether somebody wants to know rows as they were before an update or removal. */
  watched = false;
  private readonly fields: readonly string[];
  private marks = new Uint8Array(0);
  private readonly objects: (Row | undefined)[] = [];
  private readonly old: (Row | undefined)[] = [];
  private readonly touched: number[] = [];

  constructor(def: RowDef) {
    this.def = def;
    this.fields = def.fields.map((field) => field.name);
    this.columns = def.fields.map((field) => columnOf(field, `${def.name}.${field.name}`));
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

  /** Adds an empty row for `local`, to be written at once. */
  insert(local: number, home: Topic): number {
    const at = this.count++;
    if (at >= this.locals.length) this.grow(Math.max(64, at * 2));
    if (local >= this.rowOf.length) this.growEntities(local + 1);
    this.locals[at] = local;
    this.rowOf[local] = at;
    this.homes[at] = home;
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

  /** Removes row `at` at the frame's end, unless it is written again before. */
  remove(at: number): void {
    this.touch(at);
    this.homes[at] = null;
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
    for (const list of Object.values(changes)) list.length = 0;
    for (const local of touched) {
      const at = this.rowOf[local]!;
      const mark = this.marks[at]!;
      const old = this.old[at];
      this.marks[at] = 0;
      this.old[at] = undefined;
      if (this.homes[at] === null) {
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
      this.homes[at] = this.homes[last]!;
      this.marks[at] = this.marks[last]!;
      this.objects[at] = this.objects[last];
      this.old[at] = this.old[last];
      for (const column of this.columns) column.copy(last, at);
    }
    this.marks[last] = 0;
    this.homes[last] = null;
    this.objects[last] = undefined;
    this.old[last] = undefined;
    for (const column of this.columns) column.clear(last);
  }

  private grow(capacity: number): void {
    const locals = new Int32Array(capacity);
    locals.set(this.locals);
    this.locals = locals;
    const marks = new Uint8Array(capacity);
    marks.set(this.marks);
    this.marks = marks;
    for (const column of this.columns) column.grow(capacity);
  }

  private growEntities(need: number): void {
    const rowOf = new Int32Array(Math.max(need, this.rowOf.length * 2, 64)).fill(-1);
    rowOf.set(this.rowOf);
    this.rowOf = rowOf;
  }
}
