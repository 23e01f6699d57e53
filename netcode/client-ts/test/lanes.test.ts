/**
 * The replica under a latest lane that loses, doubles and reorders: after each message it holds what a plain model
 * of the rules holds, and when all is quiet, what the server has.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { readMessage } from "../src/messages.ts";
import { random } from "../src/random.ts";
import { Replica } from "../src/replica.ts";
import type { ModuleDef } from "../src/schema.ts";
import { type Block, frame, state } from "./server.ts";

const MODULE: ModuleDef = {
  name: "lanes",
  hash: "0".repeat(64),
  rows: [{ name: "Position", kind: "component", fields: [{ name: "x", type: "u32" }, { name: "y", type: "u8" }], spatial: { at: 0 } }],
  reducers: [],
};

const u32 = (value: number) => [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
const gaps = (slots: readonly number[]) => [slots.length * 2, ...slots.map((slot, index) => slot - (index === 0 ? 0 : slots[index - 1]! + 1))];

/** A world of two cells, whose entities move, cross, go and come, as a server would tell of it. */
class World {
  /** Topic by number, each with what its slots hold. */
  readonly topics = new Map<number, { version: number; slots: Map<number, bigint>; rests: Map<number, number> }>([
    [1, { version: 0, slots: new Map(), rests: new Map() }],
    [2, { version: 0, slots: new Map(), rests: new Map() }],
  ]);
  readonly rows = new Map<bigint, { x: number; y: number; topic: number; slot: number }>();
  number = 100;
  private next = 1n;
  private readonly below: (max: number) => number;

  constructor(below: (max: number) => number) {
    this.below = below;
  }

  /** One step: the ordered frame, and the states of both cells. */
  step(): { frame: Uint8Array; states: Uint8Array[] } {
    this.number++;
    const changed: Block[] = [];
    const came = this.below(3) === 0 && this.rows.size < 12 ? this.next++ : null;
    const entities = [...this.rows.keys()];
    const gone = entities.length > 4 && this.below(5) === 0 ? entities[this.below(entities.length)]! : null;
    const crosses = entities.length > 0 && this.below(3) === 0 ? entities[this.below(entities.length)]! : null;
    if (came !== null) changed.push(this.enter(came, 1 + this.below(2), { x: this.below(1000), y: this.below(200) }));
    if (gone !== null) changed.push(this.leave(gone));
    if (crosses !== null && crosses !== gone) {
      const row = this.rows.get(crosses)!;
      const out = this.leave(crosses);
      const into = this.enter(crosses, 3 - row.topic, row);
      // Whichever block comes first.
      changed.push(...(this.below(2) === 0 ? [out, into] : [into, out]));
    }
    for (const row of this.rows.values()) {
      row.x += 1;
      if (this.below(4) === 0) row.y = this.below(200);
    }
    const states = [1, 2].map((topic) => state(this.number, [this.state(topic)])).filter((_, index) => this.topics.get(index + 1)!.slots.size > 0);
    return { frame: frame(this.number, { changed }), states };
  }

  /** The rest values: all rows as they are, on the ordered lane. */
  rest(): Uint8Array {
    this.number++;
    const changed = [...this.topics].filter(([, { slots }]) => slots.size > 0).map(([id, { version }]) => [id, 0, version & 0xff, version >> 8, ...this.state(id).slice(1)]);
    return frame(this.number, { changed });
  }

  snapshot(topic: number): Block {
    const { slots, version } = this.topics.get(topic)!;
    const sorted = [...slots].sort((a, b) => a[0] - b[0]);
    if (sorted.length === 0) return [topic, 1, version & 0xff, version >> 8, 1];
    return [topic, 1, version & 0xff, version >> 8, 1, 2, ...gaps(sorted.map(([slot]) => slot)), ...this.ids(sorted.map(([, id]) => id)), ...this.state(topic).slice(1)];
  }

  private ids(ids: readonly bigint[]): number[] {
    return ids.map((id, index) => Number(id - (index === 0 ? 0n : ids[index - 1]!))).map((step) => (step < 0 ? -step * 2 - 1 : step * 2));
  }

  private enter(entity: bigint, id: number, { x, y }: { x: number; y: number }): Block {
    const topic = this.topics.get(id)!;
    // A freed slot rests for two seconds, 40 steps.
    let slot = 0;
    while (topic.slots.has(slot) || (topic.rests.get(slot) ?? -Infinity) > this.number - 41) slot++;
    topic.slots.set(slot, entity);
    topic.version++;
    this.rows.set(entity, { x, y, topic: id, slot });
    return [id, 0, topic.version & 0xff, topic.version >> 8, 2, ...gaps([slot]), ...this.ids([entity]), 3, 0, ...gaps([slot]), 3, 0, ...u32(x), 0, y];
  }

  private leave(entity: bigint): Block {
    const { topic: id, slot } = this.rows.get(entity)!;
    const topic = this.topics.get(id)!;
    topic.slots.delete(slot);
    topic.rests.set(slot, this.number);
    topic.version++;
    this.rows.delete(entity);
    return [id, 0, topic.version & 0xff, topic.version >> 8, 1, ...gaps([slot])];
  }

  private state(id: number): number[] {
    const sorted = [...this.topics.get(id)!.slots].sort((a, b) => a[0] - b[0]);
    const rows = sorted.map(([, entity]) => this.rows.get(entity)!);
    return [id, 3, 0, ...gaps(sorted.map(([slot]) => slot)), 3, 0, ...rows.flatMap(({ x }) => u32(x)), 0, ...rows.map(({ y }) => y)];
  }
}

function content(replica: Replica): Map<bigint, unknown> {
  const table = replica.tables[0]!;
  return new Map(Array.from({ length: table.count }, (_, row) => [replica.entities.id(table.locals[row]!), table.object(row)]));
}

function truth(world: World): Map<bigint, unknown> {
  return new Map([...world.rows].map(([entity, { x, y }]) => [entity, { x, y }]));
}

/** Entities in any order, with equal rows. */
function same(actual: Map<bigint, unknown>, expected: Map<bigint, unknown>, what: string): void {
  const sorted = (rows: Map<bigint, unknown>) => [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
  assert.deepEqual(sorted(actual), sorted(expected), what);
}

const read = (bytes: Uint8Array) => {
  const message = readMessage(bytes);
  assert.ok(message.kind === "frame");
  return message;
};

const readState = (bytes: Uint8Array) => {
  const message = readMessage(bytes);
  assert.ok(message.kind === "state");
  return message;
};

test("whatever the latest lane does, rows are never older than they were, and in the end as they are", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const chance = random(seed);
    const below = (max: number) => Math.floor(chance() * max);
    const world = new World(below);
    const replica = new Replica(MODULE);
    const ordered = (bytes: Uint8Array) => {
      const { reader } = read(bytes);
      replica.apply(reader);
    };
    ordered(frame(world.number, { entered: [world.snapshot(1), world.snapshot(2)] }));
    const underWay: { due: number; bytes: Uint8Array }[] = [];
    const seen = new Map<bigint, number>();
    for (let step = 0; step < 120; step++) {
      const told = world.step();
      ordered(told.frame);
      for (const bytes of told.states) {
        const fate = below(10);
        if (fate < 3) continue;
        underWay.push({ due: step + below(6), bytes });
        if (fate < 5) underWay.push({ due: step + below(12), bytes });
      }
      for (let index = underWay.length; index-- > 0; ) {
        if (underWay[index]!.due > step) continue;
        assert.ok(replica.applyState(readState(underWay.splice(index, 1)[0]!.bytes)));
      }
      const rows = content(replica);
      assert.deepEqual([...rows.keys()].sort(), [...world.rows.keys()].sort(), `seed ${seed}: who is there is told in order`);
      for (const [entity, row] of rows) {
        const { x } = row as { x: number };
        assert.ok(x <= world.rows.get(entity)!.x && x >= (seen.get(entity) ?? 0), `seed ${seed}: entity ${entity} went back to ${x}`);
        seen.set(entity, x);
      }
      for (const entity of seen.keys()) if (!rows.has(entity)) seen.delete(entity);
    }
    ordered(world.rest());
    same(content(replica), truth(world), `seed ${seed}`);
    for (const { bytes } of underWay) replica.applyState(readState(bytes));
    same(content(replica), truth(world), `seed ${seed}: what comes late changes nothing`);
  }
});

test("states of a frame are part of its change", () => {
  const replica = new Replica(MODULE);
  const enter = [1, 1, 0, 0, 1, 2, 2, 0, 20, 3, 0, 2, 0, 3, 0, ...u32(5), 0, 6];
  const applied = replica.apply(read(frame(101, { entered: [enter], states: [[1, 3, 0, 2, 0, 1, 0, ...u32(9)]] })).reader);
  assert.deepEqual(applied.changes.map(([, { inserted, updated }]) => [inserted.length, updated.length]), [[1, 0]]);
  assert.deepEqual(content(replica), new Map([[10n, { x: 9, y: 6 }]]));
});

test("a state that is far from the newest frame is dropped whole", () => {
  const replica = new Replica(MODULE);
  const enter = [1, 1, 0, 0, 1, 2, 2, 0, 20, 3, 0, 2, 0, 3, 0, ...u32(5), 0, 6];
  replica.apply(read(frame(1000, { entered: [enter] })).reader);
  const moved = [1, 3, 0, 2, 0, 1, 0, ...u32(9)];
  assert.equal(replica.applyState(readState(state(1041, [moved]))), null);
  assert.equal(replica.applyState(readState(state(959, [moved]))), null);
  assert.deepEqual(content(replica).get(10n), { x: 5, y: 6 });
  assert.equal(replica.applyState(readState(state(1040, [moved])))!.changes.length, 1);
  // Results that overtake frames say nothing of what is newest.
  replica.apply(read(frame(2000, { results: [[1, 0, 0]] })).reader);
  assert.notEqual(replica.applyState(readState(state(1001, [moved]))), null);
  replica.apply(read(frame(2000, {})).reader);
  assert.equal(replica.applyState(readState(state(1001, [moved]))), null);
});

test("a row goes when the last topic that holds it lets go", () => {
  const replica = new Replica(MODULE);
  const holder = (topic: number, x: number) => [topic, 1, 0, 0, 1, 2, 2, 0, 20, 3, 0, 2, 0, 3, 0, ...u32(x), 0, 6];
  replica.apply(read(frame(1, { entered: [holder(1, 1), holder(2, 2), holder(3, 3)] })).reader);
  const removed = (left: number) => replica.apply(read(frame(2, { left: [left] })).reader).changes.flatMap(([, changes]) => changes.removed).length;
  assert.deepEqual([removed(1), removed(9), removed(3)], [0, 0, 0]);
  assert.deepEqual(content(replica), new Map([[10n, { x: 3, y: 6 }]]));
  // Only a topic that holds the row may change it.
  replica.apply(read(frame(3, { entered: [[4, 1, 0, 0, 1, 2, 2, 0, 20]] })).reader);
  assert.throws(() => replica.apply(read(frame(4, { changed: [[4, 0, 0, 0, 3, 0, 2, 0, 1, 0, ...u32(9)]] })).reader), /has none here/);
});
