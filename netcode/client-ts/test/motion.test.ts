/** Time and interpolation. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { TickClock } from "../src/clock.ts";
import { LaneColumn } from "../src/lanes.ts";
import { Interpolation } from "../src/interpolation.ts";
import { InputLead } from "../src/lead.ts";
import { Rate } from "../src/stats.ts";
import { Table } from "../src/table.ts";
import { Topic } from "../src/topic.ts";

const HOME = new Topic(1, { kind: "owner" }, 0);

/** A table with one entity, and its past. */
function walker(snapDistance?: number, latest = false) {
  const table = new Table({ name: "Position", kind: "component", fields: [{ name: "at", type: "vec2" }], latest });
  const past = new Interpolation(table, "at", snapDistance === undefined ? {} : { snapDistance });
  const column = table.columns[0] as LaneColumn;
  const frame = (tick: number, x: number, y: number) => {
    let row = table.find(0);
    if (row < 0) row = table.insert(0, HOME);
    table.beforeWrite(row);
    table.stamp(row, tick, tick);
    column.data.set([x, y], row * 2);
    table.written(row);
    table.settle();
    past.absorb(tick, table.changes);
  };
  const at = (tick: number) => {
    const out = { x: NaN, y: NaN };
    return past.sample(0, tick, out) ? [out.x, out.y] : undefined;
  };
  /** The server says of `tick` that nothing has changed. */
  const same = (tick: number) => table.stamp(table.find(0), tick, tick);
  return { frame, at, past, same };
}

test("between two ticks lies the middle", () => {
  const { frame, at } = walker();
  assert.equal(at(10), undefined);
  frame(10, 0, 0);
  frame(11, 2, 4);
  assert.deepEqual(at(10.5), [1, 2]);
  assert.deepEqual(at(9), [0, 0]);
  assert.deepEqual(at(30), [2, 4]);
});

test("who stood for long starts at the tick before the first change", () => {
  const { frame, at } = walker();
  frame(10, 5, 5);
  frame(50, 6, 5);
  assert.deepEqual(at(30), [5, 5]);
  assert.deepEqual(at(49), [5, 5]);
  assert.deepEqual(at(49.5), [5.5, 5]);
});

test("a second change within a tick replaces the first", () => {
  const { frame, at } = walker();
  frame(10, 0, 0);
  frame(11, 1, 0);
  frame(11, 2, 0);
  assert.deepEqual(at(10.5), [1, 0]);
});

test("a jump is not drawn as a walk", () => {
  const { frame, at } = walker(10);
  frame(10, 0, 0);
  frame(11, 100, 0);
  assert.deepEqual(at(10.9), [0, 0]);
  assert.deepEqual(at(11), [100, 0]);
});

test("the past is bounded, and the oldest that is kept is the start", () => {
  const { frame, at } = walker();
  for (let tick = 0; tick < 100; tick++) frame(tick, tick, 0);
  assert.deepEqual(at(97.5), [97.5, 0]);
  assert.deepEqual(at(0), [92, 0]);
});

test("what is told of rarely is drawn as evenly, and later", () => {
  const { frame, at } = walker(undefined, true);
  // Every fourth tick, one metre each tick; drawn 2 ticks behind, 60 times a second.
  let worst = 0;
  let last = NaN;
  for (let picture = 0; picture < 600; picture++) {
    const tick = picture / 3;
    if (picture % 12 === 0) frame(tick, tick, 0);
    const [x] = at(tick - 2)!;
    // At first it is not known how rarely news comes.
    if (tick > 60) worst = Math.max(worst, Math.abs(x! - last - 1 / 3));
    last = x!;
  }
  assert.ok(worst < 0.01, `a step was off by ${worst}`);
  assert.ok(200 - last < 8 && 200 - last > 3, `drawn ${200 - last} ticks late`);
});

test("a value that was lost is bridged, and news that is overdue is foretold for a while", () => {
  const { frame, at } = walker(undefined, true);
  for (const tick of [10, 11, 12]) frame(tick, tick, 0);
  assert.deepEqual(at(12), [12, 0]);
  frame(14, 14, 0);
  const [bridged] = at(13)!;
  assert.ok(bridged! > 12.8 && bridged! <= 13, `${bridged}`);
  const { frame: more, at: later } = walker(undefined, true);
  for (const tick of [10, 11, 12]) more(tick, tick, 0);
  assert.deepEqual([12.5, 13, 20].map((tick) => later(tick)![0]), [12.5, 13, 13]);
});

test("what is said to stand stands", () => {
  const { frame, at, same } = walker(undefined, true);
  for (const tick of [10, 11, 12]) frame(tick, tick, 0);
  same(13);
  assert.deepEqual(at(13), [12, 0]);
  same(16);
  frame(17, 13, 0);
  assert.deepEqual([15.9, 16.5].map((tick) => at(tick)![0]), [12, 12.5]);
});

test("who rested for long starts a beat before the first change", () => {
  const { frame, at } = walker(undefined, true);
  for (const tick of [10, 12, 14, 16, 18, 20]) frame(tick, tick, 0);
  frame(100, 22, 0);
  assert.deepEqual(at(90), [20, 0]);
});

test("what is removed is forgotten", () => {
  const { frame, at, past } = walker();
  frame(10, 0, 0);
  past.absorb(11, { inserted: [], updated: [], before: [], removed: [0], last: [undefined] });
  assert.equal(at(11), undefined);
});

test("drawn time runs evenly although frames arrive unevenly", () => {
  const clock = new TickClock(50);
  const late = [0, 30, 5, 44, 12, 0, 25, 18, 40, 3];
  let last = -Infinity;
  const steps: number[] = [];
  let nextFrame = 0;
  for (let now = 0; now < 10_000; now += 10) {
    while (nextFrame * 50 + late[nextFrame % late.length]! <= now) {
      clock.observe(1000 + nextFrame, nextFrame * 50 + late[nextFrame % late.length]!);
      nextFrame++;
    }
    const tick = clock.renderTick(now);
    if (now > 3000) steps.push(tick - last);
    last = tick;
    if (now > 3000) assert.ok(tick <= clock.tick, `tick ${tick} is drawn before it is known`);
  }
  assert.ok(Math.min(...steps) > 0.18 && Math.max(...steps) < 0.22, `${Math.min(...steps)}..${Math.max(...steps)}`);
});

test("drawn time jumps when it is far off", () => {
  const clock = new TickClock(50);
  clock.observe(100, 0);
  clock.renderTick(0);
  clock.observe(5000, 50);
  assert.ok(Math.abs(clock.renderTick(60) - 4998) < 3);
});

test("a rate is that of the last two seconds", () => {
  const rate = new Rate(0);
  for (let now = 0; now < 4_000; now += 50) rate.add(100, now);
  assert.ok(Math.abs(rate.perSecond(3_999) - 2_000) < 150, `${rate.perSecond(3_999)}`);
  assert.equal(rate.perSecond(20_000), 0);
  assert.equal(rate.total, 8_000);
});

// The numbers of the next two are those of the tests of netcode/protocol/src/clock.rs.

test("the fastest frames tell the time", () => {
  const clock = new TickClock(50);
  for (const [tick, at] of [[1000, 30], [1001, 80], [1002, 155], [1003, 180], [1001, 181], [1003, 400]] as const) clock.observe(tick, at);
  assert.equal(clock.tick, 1003);
  assert.ok(Math.abs(clock.serverTick(205) - 1003.5) < 1e-9, `${clock.serverTick(205)}`);
  assert.ok(clock.jitterMs >= 20 && clock.jitterMs < 26, `${clock.jitterMs}`);
});

test("a lead follows what it is told", () => {
  const lead = new InputLead(50);
  assert.deepEqual([lead.ticks, lead.slackMs], [2.5, NaN]);
  lead.roundTrip(100);
  assert.equal(lead.ticks, 3.5);
  lead.report(-50_000);
  assert.deepEqual([lead.ticks, lead.slackMs], [6, -50]);
  lead.report(-50_000); // of inputs that were under way already
  assert.equal(lead.ticks, 6);
  lead.report(475_000);
  assert.equal(lead.ticks, 5);
  lead.roundTrip(0);
  assert.equal(lead.ticks, 5, "the server knows better");
  for (let report = 0; report < 100; report++) lead.report(-(2 ** 63));
  assert.equal(lead.ticks, 14);
  for (let report = 0; report < 100; report++) lead.report(2 ** 63);
  assert.equal(lead.ticks, 0);
});
