/**
 * The client's copy of what it may see. Frames and states go in, changes come out; it knows no sockets and no clock.
 *
 * Frames come in order. States (the latest lane) come in any order, twice or not at all: each carries the number of
 * its frame, and a row takes only what is not older than what it has.
 */

import { PADDING, Reader } from "./bytes.ts";
import { Entities } from "./entities.ts";
import { ProtocolError } from "./errors.ts";
import { inflate } from "./inflate.ts";
import type { State } from "./messages.ts";
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

const NO_EVENTS: readonly ReplicaEvent[] = [];

/** A block's flags. */
const SNAPSHOT = 1;
const COMPRESSED = 2;

/** An event that a frame brought. */
export interface ReplicaEvent {
  /** The row type's number. */
  readonly row: number;
  readonly value: Row;
}

/** What a frame or a state did, beside the changes of tables. */
export interface Applied {
  /** `"ordered"`: a frame; `"latest"`: new values of what moves. */
  readonly lane: "ordered" | "latest";
  /** The frame's number. */
  readonly number: number;
  readonly tick: number;
  /** Microseconds since the Unix epoch; with a state, those of the newest frame. */
  readonly time: number;
  readonly events: readonly ReplicaEvent[];
  /** Tables with changes: their numbers, and what changed. Valid until the next frame. */
  readonly changes: readonly (readonly [number, TableChanges])[];
}

/** What has become of states, since the beginning. */
export interface StateCounts {
  /** State messages that were applied, as far as their rows were wanted. */
  messagesApplied: number;
  /** State messages that were too far from the newest frame. */
  messagesStale: number;
  messagesMalformed: number;
  /** Rows that took their values, and rows that did not; those of frames' states included. */
  rowsApplied: number;
  rowsSkipped: number;
}

/** Rows by component, entities, topics. */
export class Replica {
  readonly module: ModuleDef;
  readonly entities = new Entities();
  /** By row number; `null` for events and what clients never see. */
  readonly tables: readonly (Table | null)[];
  readonly topics = new Map<number, Topic>();
  readonly stateCounts: StateCounts = { messagesApplied: 0, messagesStale: 0, messagesMalformed: 0, rowsApplied: 0, rowsSkipped: 0 };
  private readonly ticksMax: number;
  private readonly eventCodecs: readonly (RowCodec | null)[];
  private readonly slots: Slots = newSlots();
  private rows = new Int32Array(256);
  private changed = new Uint8Array(256);
  private events: ReplicaEvent[] = [];
  /** Number and tick of what is being applied. */
  private number = 0;
  private tick = 0;
  /** Tick and time of the newest frame. */
  private frameTick = 0;
  private time = 0;
  /** The fixed parts of all rows, in bytes. */
  private rowBytes = 0;

  /** @param ticksMax how many ticks a state may be away from the newest frame. */
  constructor(module: ModuleDef, ticksMax = 40) {
    this.module = module;
    this.ticksMax = ticksMax;
    this.tables = module.rows.map((row) => (row === null || row.kind === "event" ? null : new Table(row)));
    this.eventCodecs = module.rows.map((row) => (row?.kind === "event" ? rowCodec(row.fields, row.name) : null));
  }

  /** How many rows there are, all together. */
  get rowCount(): number {
    return this.tables.reduce((sum, table) => sum + (table?.count ?? 0), 0);
  }

  /**
   * Applies a Frame message up to its results, behind which `reader` then stands. After a {@link ProtocolError} the
   * replica is of no use.
   */
  apply(reader: Reader): Applied {
    this.entities.sweep();
    this.events = [];
    this.number = reader.varintNumber();
    this.tick = reader.varintNumber();
    const time = reader.i64();
    const start = reader.at;
    for (let left = reader.count(1); left > 0; left--) this.leave(reader.varint());
    for (let left = reader.count(4); left > 0; left--) this.block(reader, true);
    for (let left = reader.count(4); left > 0; left--) this.block(reader, false);
    for (let left = reader.count(2); left > 0; left--) this.state(reader);
    // A frame with results alone may have overtaken others, and says nothing of what they bring.
    if (reader.at > start + 4 || reader.bytes[reader.at] === 0) {
      this.frameTick = Math.max(this.frameTick, this.tick);
      this.time = Math.max(this.time, time);
    }
    return this.applied("ordered", time, this.events);
  }

  /**
   * Applies a State message. What makes no sense, or is too far from the newest frame, is dropped and counted; the
   * replica is as good as before. Returns `null` when it was dropped whole.
   */
  applyState({ number, tick, reader }: State): Applied | null {
    const counts = this.stateCounts;
    if (Math.abs(tick - this.frameTick) > this.ticksMax) {
      counts.messagesStale++;
      return null;
    }
    this.entities.sweep();
    this.number = number;
    this.tick = tick;
    try {
      do this.state(reader);
      while (reader.left > 0);
      counts.messagesApplied++;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      counts.messagesMalformed++;
    }
    return this.applied("latest", this.time, NO_EVENTS);
  }

  /** Forgets all topics: another session begins. What that means for rows shows with its first frame. */
  reset(): void {
    for (const topic of this.topics.values()) this.empty(topic);
    this.topics.clear();
    this.frameTick = -Infinity;
    this.time = -Infinity;
  }

  private applied(lane: Applied["lane"], time: number, events: readonly ReplicaEvent[]): Applied {
    const { number, tick } = this;
    return { lane, number, tick, time, events, changes: this.settle() };
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
    if (!topic) return; // of a session that was resumed: the server tells what may be known
    this.empty(topic);
    this.topics.delete(id);
  }

  /** Forgets the roster of a topic and the rows that came with it. */
  private empty(topic: Topic): void {
    topic.slots.forEach((local) => {
      if (local >= 0) this.drop(topic, local);
    });
    topic.slots.length = 0;
    topic.since.length = 0;
  }

  /** One entity leaves a topic, which lets go of its rows. */
  private drop(topic: Topic, local: number): void {
    for (const table of this.tables) {
      if (table === null) continue;
      const row = table.find(local);
      if (row >= 0) table.release(row, topic);
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
    if (entered ? (flags & ~COMPRESSED) !== SNAPSHOT : flags !== 0) throw new ProtocolError(`a block of topic ${id} with flags ${flags}`);
    const topic = entered ? this.enterTopic(id, readKind(reader), version) : this.topics.get(id);
    if (!topic) throw new ProtocolError(`a block of topic ${id}, which was not entered`);

    const structural = this.sections((flags & COMPRESSED) !== 0 ? decompressed(reader) : reader, topic);
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
      topic.since[slot] = this.number;
    }
  }

  private readRows(reader: Reader, topic: Topic): void {
    const table = this.table(reader);
    readSlots(reader, this.slots);
    const { count, items } = this.slots;
    const mask = readMask(reader, table);
    const whole = mask === table.wholeMask;
    this.makeRoom(count);
    const { columns } = table;
    const { changed, number, rows, tick } = this;
    for (let index = 0; index < count; index++) {
      const local = localOf(topic, items[index]!);
      let row = table.find(local);
      if (whole) {
        if (row < 0) row = this.insert(table, local, topic);
        else table.beforeWrite(row);
        table.hold(row, topic);
      } else {
        if (row < 0 || !table.isHeld(row, topic)) {
          throw new ProtocolError(`an update of ${table.def.name} of entity ${this.entities.id(local)}, which has none here`);
        }
        table.beforeWrite(row);
      }
      table.stamp(row, number, tick);
      rows[index] = row;
    }
    changed.fill(0, 0, count);
    let bits = mask;
    for (let field = 0; bits !== 0n; field++, bits >>= 1n) {
      if ((bits & 1n) === 1n) columns[field]!.decode(reader, rows, count, changed);
    }
    for (let index = 0; index < count; index++) {
      if (changed[index] === 1) table.written(rows[index]!);
    }
  }

  /** One topic's state: new values of rows that are there, and not newer. */
  private state(message: Reader): void {
    const length = message.varint();
    const outerEnd = message.end;
    const end = message.take(length) + length;
    message.at = end - length;
    message.end = end;
    try {
      const topic = this.topics.get(message.varint());
      if (!topic) message.at = end;
      while (topic && message.left > 0) {
        const section = message.u8();
        if (section !== ROWS) throw new ProtocolError(`section ${section} in a state`);
        this.readState(message, topic);
      }
    } finally {
      message.end = outerEnd;
    }
  }

  /** Values are checked as a whole before the first row is written, so that rows are always valid. */
  private readState(reader: Reader, topic: Topic): void {
    const table = this.table(reader);
    if (!table.flat) throw new ProtocolError(`${table.def.name} has fields of variable length: it can't be in a state`);
    readSlots(reader, this.slots);
    const { count, items } = this.slots;
    const mask = readMask(reader, table);
    this.makeRoom(count);
    const { changed, number, rows } = this;
    const stage = table.staged(count);
    for (let index = 0; index < count; index++) rows[index] = index;
    let bits = mask;
    for (let field = 0; bits !== 0n; field++, bits >>= 1n) {
      if ((bits & 1n) === 1n) stage[field]!.decode(reader, rows, count, changed);
    }
    for (let index = 0; index < count; index++) {
      const slot = items[index]!;
      const local = topic.slots[slot] ?? -1;
      const row = local < 0 || topic.since[slot]! > number ? -1 : table.find(local);
      rows[index] = row < 0 || table.numbers[row]! > number || !table.isHeld(row, topic) ? -1 : row;
      changed[index] = 0;
      if (rows[index]! < 0) this.stateCounts.rowsSkipped++;
      else table.beforeWrite(row);
    }
    bits = mask;
    for (let field = 0; bits !== 0n; field++, bits >>= 1n) {
      if ((bits & 1n) === 0n) continue;
      const column = table.columns[field]!;
      for (let index = 0; index < count; index++) {
        if (rows[index]! >= 0 && column.take(stage[field]!, index, rows[index]!)) changed[index] = 1;
      }
    }
    for (let index = 0; index < count; index++) {
      if (rows[index]! < 0) continue;
      this.stateCounts.rowsApplied++;
      table.stamp(rows[index]!, number, this.tick);
      if (changed[index] === 1) table.written(rows[index]!);
    }
  }

  /** Room for so many rows of a section. */
  private makeRoom(count: number): void {
    if (count <= this.rows.length) return;
    this.rows = new Int32Array(this.slots.items.length);
    this.changed = new Uint8Array(this.slots.items.length);
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
      if (row >= 0) table.release(row, topic);
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

function readMask(reader: Reader, table: Table): bigint {
  const mask = reader.varint64();
  if (mask > table.wholeMask) throw new ProtocolError(`${table.def.name}: a mask with unknown fields`);
  return mask;
}

/** The sections of a compressed block; `reader` is at its end then. */
function decompressed(reader: Reader): Reader {
  const length = reader.varint();
  return Reader.over(inflate(reader.slice(reader.left), length, PADDING), length);
}

function readKind(reader: Reader): TopicKind {
  const kind = reader.u8();
  if (kind === 0 || kind === 4) {
    return { kind: kind === 0 ? "cell" : "detail", space: reader.varint(), x: reader.zigzag(), y: reader.zigzag() };
  }
  if (kind === 1) return { kind: "owner" };
  if (kind === 2) return { kind: "group", group: reader.varint64() };
  if (kind === 3) return { kind: "everyone" };
  if (kind === 5) return { kind: "query" };
  throw new ProtocolError(`topic kind ${kind} is unknown`);
}
