/** What a client measures of its connection. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Ages } from "../src/ages.ts";
import { Losses, Quality } from "../src/quality.ts";
import { random } from "../src/random.ts";

test("a saw tooth has evenly spread ages", () => {
  const ages = new Ages();
  assert.equal(ages.quantile(0.5), 0);
  for (let tooth = 0; tooth < 100; tooth++) ages.add(10, 50);
  assert.ok(Math.abs(ages.quantile(0.5) - 35) <= 2, `${ages.quantile(0.5)}`);
  assert.ok(Math.abs(ages.quantile(0.99) - 60) <= 2, `${ages.quantile(0.99)}`);
  ages.add(0, 100_000);
  assert.equal(ages.quantile(0.99), 3_000);
  ages.clear();
  assert.equal(ages.quantile(0.99), 0);
});

test("staleness is that of the newest data, whatever comes late", () => {
  const quality = new Quality(0, 50);
  quality.pong(40, 1);
  // Each tick's data comes 5 ms later than the fastest would; every tenth is lost, and old data comes in between.
  for (let tick = 100; tick < 300; tick++) {
    const now = (tick - 100) * 50 + 5;
    if (tick % 10 !== 0) quality.applied(tick, 100 + now / 50, now);
    quality.applied(tick - 3, 100 + (now + 1) / 50, now + 1);
  }
  const { stalenessP50Ms, stalenessP99Ms } = quality.numbers(10_000);
  assert.ok(stalenessP50Ms > 45 && stalenessP50Ms < 65, `${stalenessP50Ms}`);
  assert.ok(stalenessP99Ms > 100 && stalenessP99Ms < 130, `${stalenessP99Ms}`);
  const report = quality.report(7, 3);
  assert.deepEqual([report.frame, report.roundTripMicros, report.jitterMicros], [7, 40_000, 3_000]);
  assert.ok(report.stalenessMicros > 100_000);
  assert.equal(quality.report(8, 3).stalenessMicros, 0, "of what was since the last report");
});

test("losses show in the beat of what comes", () => {
  for (const [beat, loss] of [[1, 0], [1, 0.1], [2, 0.2], [4, 0.05]] as const) {
    const chance = random(5);
    const losses = new Losses();
    let lost = 0;
    let told = 0;
    for (let tick = 0; tick < 4_000; tick += beat) {
      if (chance() < loss) lost++;
      else {
        losses.seen(tick);
        if (chance() < 0.2) losses.seen(Math.max(0, tick - beat)); // doubled, or late
      }
      if (tick % 40 === 0) told += losses.lostSince();
    }
    const share = lost / (4_000 / beat);
    // A lost one that comes late is none.
    assert.ok(told <= lost && told >= lost * 0.6, `${told} of ${lost} with a beat of ${beat}`);
    assert.ok(losses.share() <= share + 0.1, `${losses.share()} of ${share}`);
  }
  const quiet = new Losses();
  for (const tick of [10, 11, 12, 100, 101, 102, 200]) quiet.seen(tick);
  assert.deepEqual([quiet.lostSince(), quiet.share()], [0, 0], "where nothing moves nothing is lost");
});
