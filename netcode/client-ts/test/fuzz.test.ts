/** Whatever bytes come, the client gives a value or a ProtocolError, soon. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { Reader, Writer } from "../src/bytes.ts";
import { ProtocolError } from "../src/errors.ts";
import { readMessage } from "../src/messages.ts";
import { random } from "../src/random.ts";
import { readReplies } from "../src/replies.ts";
import { Replica } from "../src/replica.ts";
import { type ModuleDef, readDescription } from "../src/schema.ts";
import { FOLDER, fromHex, goldenBytes, goldenJson } from "./golden.ts";

/** Reproducible noise: whole numbers from 0 to below a bound. */
function noise(seed: number): (below: number) => number {
  const chance = random(seed);
  return (below) => Math.floor(chance() * below);
}

/** Feeds messages to a client's state; returns how many of them were understood. */
function feed(module: ModuleDef, messages: readonly Uint8Array[]): number {
  const replica = new Replica(module);
  let understood = 0;
  try {
    for (const bytes of messages) {
      const message = readMessage(bytes);
      if (message.kind === "frame") {
        replica.apply(message.reader);
        readReplies(message.reader);
      } else if (message.kind === "state") {
        replica.applyState(message);
      }
      understood++;
    }
  } catch (error) {
    assert.ok(error instanceof ProtocolError, String((error as Error).stack));
  }
  return understood;
}

const NAMES = readdirSync(FOLDER).flatMap((name) => /^replica-([a-z]+)\.json$/.exec(name)?.[1] ?? []);

const corpora = NAMES.map((name) => {
  const { description, steps } = goldenJson<{ description: unknown; steps: { file: string }[] }>(`replica-${name}.json`);
  return { module: readDescription(JSON.stringify(description), "0".repeat(64)), frames: steps.map(({ file }) => goldenBytes(file)) };
});

test("mutated frames are values or errors", () => {
  const below = noise(1);
  let rounds = 0;
  for (const { module, frames } of corpora) {
    const small = frames.filter((bytes) => bytes.length < 20_000);
    for (let round = 0; round < 200; round++) {
      const mutated = small.map((bytes) => {
        const copy = bytes.slice(0, below(10) === 0 ? below(bytes.length + 1) : bytes.length);
        for (let flips = below(4); flips > 0 && copy.length > 0; flips--) copy[below(copy.length)] = below(256);
        return copy;
      });
      feed(module, mutated);
      rounds++;
    }
    assert.equal(feed(module, frames), frames.length, "unharmed frames are understood");
  }
  assert.equal(rounds, corpora.length * 200);
});

test("noise behind a message's kind is a value or an error", () => {
  const below = noise(2);
  const { module } = corpora[0]!;
  for (let round = 0; round < 3_000; round++) {
    const bytes = Uint8Array.from({ length: below(80) }, () => below(256));
    if (bytes.length > 0) bytes[0] = 0x81 + below(5);
    feed(module, [bytes]);
  }
});

interface Fuzzed {
  populated: string;
  inputs: { hex: string; rows: number | null }[];
}

test("what fuzzing has found is understood as in Rust", () => {
  const { populated, inputs } = JSON.parse(readFileSync(new URL("../fuzzed.json", FOLDER), "utf8")) as Fuzzed;
  const { module } = corpora[NAMES.indexOf("kinds")]!;
  for (const { hex, rows } of inputs) {
    const replica = new Replica(module);
    const first = readMessage(fromHex(populated));
    assert.ok(first.kind === "frame");
    replica.apply(first.reader);
    let understood: number | null = null;
    try {
      const message = readMessage(fromHex(hex));
      let good = true;
      if (message.kind === "frame") {
        replica.apply(message.reader);
        readReplies(message.reader);
      } else if (message.kind === "state") {
        replica.applyState(message);
        good = replica.stateCounts.messagesMalformed === 0;
      }
      if (good) understood = message.kind === "frame" || message.kind === "state" ? replica.tables.reduce((sum, table) => sum + (table?.count ?? 0), 0) : 0;
    } catch (error) {
      assert.ok(error instanceof ProtocolError, String((error as Error).stack));
    }
    assert.equal(understood, rows, hex);
  }
});

test("every prefix of a message is an error", () => {
  const names = readdirSync(FOLDER);
  for (const name of names.filter((file) => /^server-.*\.bin$/.test(file))) {
    const whole = goldenBytes(name);
    for (let length = 0; length < whole.length; length++) {
      assert.throws(() => readMessage(whole.slice(0, length)), ProtocolError, `${name} cut at ${length}`);
    }
  }
});

test("numbers have one form", () => {
  const read = (...bytes: number[]) => Reader.of(Uint8Array.from(bytes));
  assert.equal(read(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01).varint64(), 2n ** 64n - 1n);
  assert.equal(read(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01).zigzag64(), -(2n ** 63n));
  assert.equal(read(0xff, 0xff, 0xff, 0xff, 0x0f).varint(), 0xffffffff);
  assert.equal(read(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01).varint64(), 1n << 49n);
  for (const bad of [[0x80, 0x00], [0x80], [], [0xff, 0xff, 0xff, 0xff, 0x1f]]) {
    assert.throws(() => read(...bad).varint(), ProtocolError, bad.join());
  }
  assert.throws(() => read(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02).varint64(), ProtocolError);
});

test("a message grows with what is written, whatever that is", () => {
  for (let before = 240; before < 260; before++) {
    for (const write of [(out: Writer) => out.u8(7), (out: Writer) => out.u64(7n), (out: Writer) => out.varint(7), (out: Writer) => out.raw(Uint8Array.of(7))]) {
      const out = new Writer();
      out.raw(new Uint8Array(before));
      write(out);
      assert.equal(out.finish()[before], 7);
    }
  }
});

test("descriptions that are none are errors", () => {
  const good = JSON.stringify({ name: "m", rows: [{ name: "A", kind: "component", fields: [{ name: "x", type: "u8" }] }], reducers: [] });
  assert.equal(readDescription(good, "").rows.length, 1);
  const deep = (levels: number) => `${'{"list":'.repeat(levels)}"u8"${"}".repeat(levels)}`;
  const withType = (type: unknown) => JSON.stringify({ name: "m", rows: [{ name: "A", kind: "component", fields: [{ name: "x", type }] }], reducers: [] });
  const bad = ["", "null", "[]", "{}", good.replace("u8", "u9"), good.replace('"component"', "7"), good.replace('"u8"', deep(9)), good.replace('"u8"', deep(50_000)), withType({ enum: { name: "E", size: 3, variants: [] } })];
  for (const json of bad) assert.throws(() => readDescription(json, ""), ProtocolError, json.slice(0, 80));
});
