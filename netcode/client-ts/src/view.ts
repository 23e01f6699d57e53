/** Reading the replica: rows by entity, queries, and word of what changes. */

import { Interpolation, type InterpolationOptions } from "./interpolation.ts";
import { Listeners, type Unsubscribe } from "./listeners.ts";
import type { ComponentToken, EventToken, ResourceToken, RowToken, TableToken } from "./module.ts";
import type { Applied, Replica } from "./replica.ts";
import type { Row, Table } from "./table.ts";
import type { EntityId, Vec2 } from "./values.ts";

interface Watchers {
  readonly insert: Listeners<[EntityId, Row]>;
  readonly update: Listeners<[EntityId, Row, Row]>;
  readonly remove: Listeners<[EntityId, Row]>;
}

/** Smooth values of a `Vec2` field. */
export interface Smooth {
  /**
   * The value at `tick` (see {@link Client.renderTick}), in `out`, or in a new object. `undefined` when the entity
   * has no such row.
   */
  get(entity: EntityId, tick: number, out?: Vec2): Vec2 | undefined;
}

/** The rows that this client sees. Row objects are shared and not to be changed; a changed row is a new object. */
export class View {
  private readonly replica: Replica;
  private readonly numbers = new Map<string, number>();
  private readonly watchers: (Watchers | undefined)[] = [];
  private readonly events: (Listeners<[Row]> | undefined)[] = [];
  private readonly frames = new Listeners<[Applied]>();
  private readonly smooth: { row: number; past: Interpolation }[] = [];
  private tick = 0;

  /** @internal */
  constructor(replica: Replica) {
    this.replica = replica;
    replica.module.rows.forEach((row, number) => {
      if (row) this.numbers.set(row.name, number);
    });
  }

  /** The entity's row, if it has one that we see. */
  get<T>(token: ComponentToken<T> | TableToken<T, unknown>, entity: EntityId): Readonly<T> | undefined {
    const table = this.table(token);
    const row = table.find(this.replica.entities.local(entity));
    return row < 0 ? undefined : (table.object(row) as T);
  }

  /** Whether the entity has such a row. */
  has(token: RowToken<unknown>, entity: EntityId): boolean {
    return this.table(token).find(this.replica.entities.local(entity)) >= 0;
  }

  /** How many rows of the type we see. */
  count(token: RowToken<unknown>): number {
    return this.table(token).count;
  }

  /** The resource, once it is there. */
  resource<T>(token: ResourceToken<T>): Readonly<T> | undefined {
    const table = this.table(token);
    return table.count === 0 ? undefined : (table.object(0) as T);
  }

  /** The table's row with this key. Cost: a look at every row. */
  find<T, K>(token: TableToken<T, K>, key: K): Readonly<T> | undefined {
    const table = this.table(token);
    for (let row = 0; row < table.count; row++) {
      const object = table.object(row) as T;
      if ((object[token.key] as unknown) === key) return object;
    }
    return undefined;
  }

  /**
   * All entities that have all of these rows, with the rows: `for (const [entity, position, node] of
   * client.query(Position, Node))`. Cost: a look at each row of the type that has the fewest. Don't await inside.
   */
  *query<T extends unknown[]>(...tokens: { [I in keyof T]: RowToken<T[I]> }): Generator<[EntityId, ...{ readonly [I in keyof T]: Readonly<T[I]> }]> {
    const tables = tokens.map((token: RowToken<unknown>) => this.table(token));
    const fewest = tables.reduce((least, table) => (table.count < least.count ? table : least), tables[0]!);
    for (let row = 0; row < fewest.count; row++) {
      const local = fewest.locals[row]!;
      const rows: Row[] = [];
      for (const table of tables) {
        const found = table.find(local);
        if (found < 0) break;
        rows.push(table.object(found));
      }
      if (rows.length === tables.length) yield [this.replica.entities.id(local), ...rows] as never;
    }
  }

  /** Calls `listener` whenever a row appears; at the end of its frame, like all that follow here. */
  onInsert<T>(token: RowToken<T>, listener: (entity: EntityId, row: Readonly<T>) => void): Unsubscribe {
    return this.watch(token).insert.add(listener as (entity: EntityId, row: Row) => void);
  }

  /** Calls `listener` whenever a row has changed, with the row as it is and as it was. */
  onUpdate<T>(token: RowToken<T>, listener: (entity: EntityId, row: Readonly<T>, old: Readonly<T>) => void): Unsubscribe {
    return this.watch(token).update.add(listener as (entity: EntityId, row: Row, old: Row) => void);
  }

  /** Calls `listener` whenever a row is gone, or out of sight, with the row as it last was. */
  onRemove<T>(token: RowToken<T>, listener: (entity: EntityId, row: Readonly<T>) => void): Unsubscribe {
    return this.watch(token).remove.add(listener as (entity: EntityId, row: Row) => void);
  }

  /** Calls `listener` for every event of the type. */
  onEvent<T>(token: EventToken<T>, listener: (event: Readonly<T>) => void): Unsubscribe {
    const listeners = (this.events[this.number(token.row)] ??= new Listeners());
    return listeners.add(listener as (event: Row) => void);
  }

  /** Calls `listener` after every frame. */
  onFrame(listener: (frame: Applied) => void): Unsubscribe {
    return this.frames.add(listener);
  }

  /** Follows a `Vec2` field so that it can be drawn smoothly. */
  interpolate<T>(token: ComponentToken<T>, field: keyof T & string, options?: InterpolationOptions): Smooth {
    const past = new Interpolation(this.table(token), field, options);
    past.start(this.tick);
    this.smooth.push({ row: this.number(token.row), past });
    return {
      get: (entity, tick, out = { x: 0, y: 0 }) => {
        const local = this.replica.entities.local(entity);
        return local >= 0 && past.sample(local, tick, out) ? out : undefined;
      },
    };
  }

  /** Tells everybody what a frame did. @internal */
  protected announce(applied: Applied): void {
    this.tick = applied.tick;
    const { entities, tables } = this.replica;
    for (const { row, past } of this.smooth) {
      for (const [number, changes] of applied.changes) if (number === row) past.absorb(applied.tick, changes);
    }
    for (const [number, changes] of applied.changes) {
      const watchers = this.watchers[number];
      if (!watchers) continue;
      const table = tables[number]!;
      const current = (local: number) => table.object(table.find(local));
      changes.removed.forEach((local, index) => watchers.remove.emit(entities.id(local), changes.last[index]!));
      changes.inserted.forEach((local) => watchers.insert.emit(entities.id(local), current(local)));
      changes.updated.forEach((local, index) => watchers.update.emit(entities.id(local), current(local), changes.before[index]!));
    }
    for (const { row, value } of applied.events) this.events[row]?.emit(value);
    this.frames.emit(applied);
  }

  private watch(token: RowToken<unknown>): Watchers {
    const table = this.table(token);
    table.watched = true;
    const number = this.number(token.row);
    return (this.watchers[number] ??= { insert: new Listeners(), update: new Listeners(), remove: new Listeners() });
  }

  private table(token: RowToken<unknown>): Table {
    const table = this.replica.tables[this.number(token.row)];
    if (!table) throw new TypeError(`${token.row} is an event: it has no rows`);
    return table;
  }

  private number(name: string): number {
    const number = this.numbers.get(name);
    if (number === undefined) throw new TypeError(`the server's module has no row type ${name} for clients`);
    return number;
  }
}
