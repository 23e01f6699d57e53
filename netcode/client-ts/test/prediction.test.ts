/** Inputs and what they do ahead of the server. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Reader } from "../src/bytes.ts";
import { Inputs, type InputWay } from "../src/inputs.ts";
import { LaneColumn } from "../src/lanes.ts";
import { Prediction, type StepFunction } from "../src/prediction.ts";
import type { ModuleDef } from "../src/schema.ts";
import { Table } from "../src/table.ts";
import { Topic } from "../src/topic.ts";

interface Body {
  at: { x: number; y: number };
  steps: number;
}

const MODULE: ModuleDef = {
  name: "walk",
  hash: "0".repeat(64),
  rows: [{ name: "Body", kind: "component", fields: [{ name: "at", type: "vec2" }, { name: "steps", type: "u32" }], spatial: { at: 0 } }],
  reducers: [
    { name: "walk_to", params: [] },
    { name: "steer", kind: "input", params: [{ name: "x", type: "f32" }] },
    { name: "look", kind: "input", params: [{ name: "angle", type: "f32" }] },
  ],
};

/** Steer by 1 m each tick; a wall stands at 100. */
const walk: StepFunction<Body, { x: number }> = (body, { x }) => {
  body.at.x = Math.min(100, body.at.x + x);
  body.steps++;
};

const HOME = new Topic(1, { kind: "owner" }, 0);

/** A body of which a server tells, and its prediction. */
function body() {
  const table = new Table(MODULE.rows[0]!);
  const prediction = new Prediction(table, () => 0, walk as StepFunction<unknown, unknown>, 0.05, { snapDistance: 5 });
  const say = (tick: number, x: number, steps = 0) => {
    let row = table.find(0);
    if (row < 0) row = table.insert(0, HOME);
    table.beforeWrite(row);
    table.stamp(row, tick, tick);
    (table.columns[0] as LaneColumn).data.set([x, 0], row * 2);
    (table.columns[1] as LaneColumn).data[row] = steps;
    table.written(row);
    table.settle();
    prediction.follow(tick);
  };
  const at = (tick: number, now = 0) => (prediction.get(tick, now) as Body | undefined)?.at.x;
  return { table, prediction, say, at };
}

test("an input is seen at once, between its tick and the one before", () => {
  const { prediction, say, at } = body();
  assert.equal(at(10), undefined);
  say(10, 5);
  assert.equal(at(12), 5);
  prediction.input(13, { x: 1 });
  prediction.input(14, { x: 1 });
  assert.deepEqual([at(12), at(12.5), at(13), at(13.25), at(14), at(30)].map((x) => x!.toFixed(2)), ["5.00", "5.50", "6.00", "6.25", "7.00", "7.00"]);
});

test("what the server tells of a tick is the truth of that tick, and later inputs are done again", () => {
  const { prediction, say, at } = body();
  say(10, 0);
  for (let tick = 12; tick <= 16; tick++) prediction.input(tick, { x: 1 });
  assert.equal(at(16), 5);
  say(13, 2, 2);
  assert.equal(at(16), 5, "the server agrees");
  assert.equal(prediction.correction, 0);
  say(14, 2.5, 3);
  // 2.5 and two more.
  const shown = Array.from({ length: 6 }, (_, index) => at(16, index * 20)!);
  assert.equal(shown[0], 5, "no jump is seen");
  assert.deepEqual(shown.map((x) => x.toFixed(2)), ["5.00", "4.90", "4.80", "4.70", "4.60", "4.50"]);
  assert.equal(prediction.correction, 0.5);
  assert.equal((prediction.get(16, 200) as unknown as Body).steps, 5, "numbers that do not lie between others are as they are");
});

test("a correction that is too far is a jump", () => {
  const { prediction, say, at } = body();
  say(10, 0);
  prediction.input(11, { x: 1 });
  assert.equal(at(11), 1);
  say(11, 50);
  assert.equal(at(11), 50);
});

test("a row of which nothing is told has not changed, although inputs came", () => {
  const { prediction, say, at } = body();
  say(10, 100);
  for (let tick = 11; tick <= 40; tick++) {
    prediction.input(tick, { x: -0.001 });
    prediction.follow(tick - 3);
  }
  // Of the thirty inputs, those count that the server may not have had yet.
  assert.ok(Math.abs(at(40)! - (100 - 9 * 0.001)) < 1e-4, `${at(40)}`);
});

test("who is out of sight is not foretold", () => {
  const { table, prediction, say, at } = body();
  say(10, 0);
  prediction.input(11, { x: 1 });
  table.release(0, HOME);
  table.settle();
  prediction.follow(12);
  assert.equal(at(12), undefined);
  prediction.input(13, { x: 1 });
  say(14, 3);
  assert.equal(at(14), 3);
});

interface Sent {
  readonly tick: number;
  readonly entries: [number, number, number][];
}

/** Entries as tick, reducer and their number. */
function parse(message: Uint8Array): Sent {
  const reader = Reader.of(message);
  assert.equal(reader.u8(), 5);
  const tick = reader.varint();
  const entries = Array.from({ length: reader.varint() }, (): [number, number, number] => {
    const back = reader.varint();
    const reducer = reader.varint();
    const args = reader.lengthed();
    return [tick - back, reducer, new DataView(args.buffer, args.byteOffset).getFloat32(0, true)];
  });
  reader.finish();
  return { tick, entries };
}

/** Inputs over a way with a clock of its own: just behind tick 100 at time 0, 50 ms a tick. */
function steering(datagrams: boolean) {
  const latest: Sent[] = [];
  const ordered: Sent[] = [];
  const given: number[] = [];
  const way: InputWay = {
    sendLatest: (message) => datagrams && latest.push(parse(message)) > 0,
    send: (message) => ordered.push(parse(message)),
    inputTick: (now) => 100.01 + now / 50,
    given: (tick) => given.push(tick),
  };
  return { inputs: new Inputs(MODULE, 50, way), latest, ordered, given };
}

test("each tick has one input of a kind, the newest, and is repeated", () => {
  let now = 0;
  const clock = mock.method(performance, "now", () => now);
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { inputs, latest, given } = steering(true);
    // Called three times a tick, as a game does at 60 Hz.
    for (let call = 0; call < 18; call++) {
      inputs.add("steer", { x: call }, now);
      for (let ms = 0; ms < 16; ms++) {
        now++;
        mock.timers.tick(1);
      }
    }
    assert.deepEqual(given, [101, 102, 103, 104, 105, 106]);
    const last = latest.at(-1)!;
    assert.deepEqual(last.entries.map(([tick, reducer]) => [tick, reducer]), [[106, 1], [105, 1], [104, 1], [103, 1]]);
    const said = last.entries.map(([, , x]) => x).reverse();
    assert.ok(said.every((x, index) => index === 0 || x > said[index - 1]!), said.join());
    assert.equal(inputs.add("look", { angle: 9 }, now), 106);
    assert.deepEqual(latest.at(-1)!.entries.slice(0, 2).map(([tick, reducer]) => [tick, reducer]), [[106, 2], [106, 1]], "another kind has ticks of its own");
    inputs.clear();
  } finally {
    mock.timers.reset();
    clock.mock.restore();
  }
});

test("without datagrams each goes once", () => {
  const { inputs, ordered } = steering(false);
  for (let tick = 0; tick < 3; tick++) inputs.add("steer", { x: tick }, tick * 50);
  assert.deepEqual(ordered.map(({ entries }) => entries), [[[101, 1, 0]], [[102, 1, 1]], [[103, 1, 2]]]);
  assert.throws(() => inputs.add("walk_to", {}, 0), /no input walk_to/);
  assert.throws(() => inputs.add("look", {}, 0), /look\.angle must be a number/);
  inputs.clear();
});
