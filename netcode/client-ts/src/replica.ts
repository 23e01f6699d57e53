/**
 * The client's copy of what it may see. Frames go in, changes come out; it knows no sockets and no clock.
 */

import type { Reader } from "./bytes.ts";
import { Entities } from "./entities.ts";
import { ProtocolError } from "./errors.ts";
import { rowCodec, type RowCodec } from "./row.ts";
import type { ModuleDef } from "./schema.ts";
import { newSlots, readSlots, type Slots } from "./slots.ts";
import { type Row, Table, type TableChanges } from "./table.ts";
import { Topic, type TopicKind } from "./topic.ts";

/** The most topics of a session. */
const TOPICS_MAX = 4096;

/** The most bytes that the fixed parts of all rows may take together. */
const ROW_BYTES_TOTAL_MAX = 256 << 20;

/** Sections of a block. */
const LEAVE = 1;
const ENTER = 2;
const ROWS = 3;
const REMOVE = 4;
const EVENTS = 5;

/** An event that a frame brought. */
export interface ReplicaEvent {
  /** The row type's number. */
  readonly row: number;
  readonly value: Row;
}

/** What a frame did, beside the changes of tables. */
export interface Applied {
  readonly tick: number;
  /** Microseconds since the Unix epoch. */
  readonly time: number;
  readonly events: readonly ReplicaEvent[];
  /** Tables with changes: their numbers, and what changed. Valid until the next frame. */
  readonly changes: readonly (readonly [number, TableChanges])[];
}

/** Rows by component, entities, topics. */
export class Replica {
  readonly module: ModuleDef;
  readonly entities = new Entities();
  /** By row number; `null` for events and what clients never see. */
  readonly tables: readonly (Table | null)[];
  readonly topics = new Map<number, Topic>();
  private readonly eventCodecs: readonly (RowCodec | null)[];
  private readonly slots: Slots = newSlots();
  private rows = new Int32Array(256);
  private changed = new Uint8Array(256);
  private events: ReplicaEvent[] = [];
  /** The fixed parts of all rows, in bytes. */
  private rowBytes = 0;

  constructor(module: ModuleDef) {
    this.module = module;
    this.tables = module.rows.map((row) => (row === null || row.kind === "event" ? null : new Table(row)));
    this.eventCodecs = module.rows.map((row) => (row?.kind === "event" ? rowCodec(row.fields, row.name) : null));
  }

  /** How many rows there are, all together. */
  get rowCount(): number {
    return this.tables.reduce((sum, table) => sum + (table?.count ?? 0), 0);
  }

  /**
   * Applies a Frame message up to its results, behind which `reader` then stands. After a
   * {@link ProtocolError} the replica is of no use.
   */
  apply(reader: Reader): Applied {
    this.entities.sweep();
    this.events = [];
    const tick = reader.varintNumber();
    const time = reader.i64();
    for (let left = reader.count(1); left > 0; left--) this.leave(reader.varint());
    for (let left = reader.count(4); left > 0; left--) this.block(reader, true);
    for (let left = reader.count(4); left > 0; left--) this.block(reader, false);
    return { tick, time, events: this.events, changes: this.settle() };
  }

  private settle(): [number, TableChanges][] {
    const all: [number, TableChanges][] = [];
    this.tables.forEach((table, row) => {
      if (table?.settle()) all.push([row, table.changes]);
    });
    this.rowBytes = this.tables.reduce((sum, table) => sum + (table ? table.count * table.rowBytes : 0), 0);
    return all;
  }

  private leave(id: number): void {
    const topic = this.topics.get(id);
    if (!topic) throw new ProtocolError(`topic ${id} is left, but was not entered`);
    this.empty(topic);
    this.topics.delete(id);
  }

  /** Forgets the roster of a topic and the rows that came with it. */
  private empty(topic: Topic): void {
    topic.slots.forEach((local) => {
      if (local >= 0) this.drop(topic, local);
    });
    topic.slots.length = 0;
  }

  /** One entity leaves a topic, with the rows whose home that is. */
  private drop(topic: Topic, local: number): void {
    for (const table of this.tables) {
      if (table === null) continue;
      const row = table.find(local);
      if (row >= 0 && table.homes[row] === topic) table.remove(row);
    }
    this.entities.leave(local);
  }

  private block(message: Reader, entered: boolean): void {
    const length = message.varint();
    const end = message.take(length) + length;
    const reader = message;
    const outerEnd = message.end;
    reader.at = end - length;
    reader.end = end;

    const id = reader.varint();
    const flags = reader.u8();
    const version = reader.u16();
    if (flags !== (entered ? 1 : 0)) throw new ProtocolError(`a block of topic ${id} with flags ${flags}`);
    const topic = entered ? this.enterTopic(id, readKind(reader), version) : this.topics.get(id);
    if (!topic) throw new ProtocolError(`a block of topic ${id}, which was not entered`);

    const structural = this.sections(reader, topic);
    if (!entered) {
      const expected = structural ? (topic.version + 1) & 0xffff : topic.version;
      if (version !== expected) {
        throw new ProtocolError(`a block of topic ${id} was lost: version ${version} where ${expected} should be`);
      }
      topic.version = version;
    }
    reader.end = outerEnd;
  }

  private enterTopic(id: number, of: TopicKind, version: number): Topic {
    const known = this.topics.get(id);
    if (known) this.empty(known);
    else if (this.topics.size >= TOPICS_MAX) throw new ProtocolError(`more than ${TOPICS_MAX} topics`);
    const topic = new Topic(id, of, version);
    this.topics.set(id, topic);
    return topic;
  }

  /** Applies the sections of a block. Whether they changed the roster. */
  private sections(reader: Reader, topic: Topic): boolean {
    let structural = false;
    while (reader.left > 0) {
      const section = reader.u8();
      if (section === ROWS) this.readRows(reader, topic);
      else if (section === EVENTS) this.readEvents(reader);
      else if (section === REMOVE) this.readRemove(reader, topic);
      else if (section === ENTER) this.readEnter(reader, topic);
      else if (section === LEAVE) this.readLeave(reader, topic);
      else throw new ProtocolError(`section ${section} is unknown`);
      structural ||= section === ENTER || section === LEAVE;
    }
    return structural;
  }

  private readLeave(reader: Reader, topic: Topic): void {
    readSlots(reader, this.slots);
    for (let index = 0; index < this.slots.count; index++) {
      const slot = this.slots.items[index]!;
      this.drop(topic, localOf(topic, slot));
      topic.slots[slot] = -1;
    }
  }

  private readEnter(reader: Reader, topic: Topic): void {
    readSlots(reader, this.slots);
    let id = 0n;
    for (let index = 0; index < this.slots.count; index++) {
      id = BigInt.asUintN(64, id + reader.zigzag64());
      if (id === 0n) throw new ProtocolError("entity 0 enters");
      const slot = this.slots.items[index]!;
      if ((topic.slots[slot] ?? -1) >= 0) throw new ProtocolError(`slot ${slot} of topic ${topic.id} is taken`);
      topic.slots[slot] = this.entities.enter(id);
    }
  }

  private readRows(reader: Reader, topic: Topic): void {
    const table = this.table(reader);
    readSlots(reader, this.slots);
    const { count, items } = this.slots;
    const { columns } = table;
    const mask = reader.varint64();
    if (mask >> BigInt(columns.length) !== 0n) throw new ProtocolError(`${table.def.name}: a mask with unknown fields`);
    const whole = mask === (1n << BigInt(columns.length)) - 1n;
    if (count > this.rows.length) {
      this.rows = new Int32Array(items.length);
      this.changed = new Uint8Array(items.length);
    }
    const { rows, changed } = this;
    for (let index = 0; index < count; index++) {
      const local = localOf(topic, items[index]!);
      let row = table.find(local);
      if (whole) {
        if (row < 0) row = this.insert(table, local, topic);
        else table.beforeWrite(row);
        table.homes[row] = topic;
      } else {
        if (row < 0 || table.homes[row] !== topic) {
          throw new ProtocolError(`an update of ${table.def.name} of entity ${this.entities.id(local)}, which has none here`);
        }
        table.beforeWrite(row);
      }
      rows[index] = row;
      changed[index] = 0;
    }
    let bits = mask;
    for (let index = 0; bits !== 0n; index++, bits >>= 1n) {
      if ((bits & 1n) === 1n) columns[index]!.decode(reader, rows, count, changed);
    }
    for (let index = 0; index < count; index++) {
      if (changed[index] === 1) table.written(rows[index]!);
    }
  }

  private insert(table: Table, local: number, topic: Topic): number {
    this.rowBytes += table.rowBytes;
    if (this.rowBytes > ROW_BYTES_TOTAL_MAX) throw new ProtocolError(`rows of ${this.rowBytes} bytes are more than this client holds`);
    return table.insert(local, topic);
  }

  private readRemove(reader: Reader, topic: Topic): void {
    const table = this.table(reader);
    readSlots(reader, this.slots);
    for (let index = 0; index < this.slots.count; index++) {
      const row = table.find(localOf(topic, this.slots.items[index]!));
      if (row >= 0 && table.homes[row] === topic) table.remove(row);
    }
  }

  private readEvents(reader: Reader): void {
    const row = reader.varint();
    const codec = this.eventCodecs[row];
    if (!codec) throw new ProtocolError(`row type ${row} is no event`);
    for (let left = reader.count(1); left > 0; left--) {
      this.events.push({ row, value: codec.read(reader, reader.varint()) });
    }
  }

  private table(reader: Reader): Table {
    const row = reader.varint();
    const table = this.tables[row];
    if (!table) throw new ProtocolError(`row type ${row} has no rows for clients`);
    return table;
  }
}

function localOf(topic: Topic, slot: number): number {
  const local = topic.slots[slot];
  if (local === undefined || local < 0) throw new ProtocolError(`slot ${slot} of topic ${topic.id} is free`);
  return local;
}

function readKind(reader: Reader): TopicKind {
  const kind = reader.u8();
  if (kind === 0) return { kind: "cell", space: reader.varint(), x: reader.zigzag(), y: reader.zigzag() };
  if (kind === 1) return { kind: "owner" };
  if (kind === 2) return { kind: "group", group: reader.varint64() };
  if (kind === 3) return { kind: "everyone" };
  throw new ProtocolError(`topic kind ${kind} is unknown`);
}
