/** Predictions from a module's .wasm file; this one is written by hand, as an assembler would. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { loadPredictions, prediction } from "../src/index.ts";
import type { ModuleDef } from "../src/schema.ts";

const MODULE: ModuleDef = {
  name: "walk",
  hash: "0".repeat(64),
  rows: [null, { name: "Body", kind: "component", fields: [{ name: "at", type: "vec2" }, { name: "steps", type: "u32" }] }],
  reducers: [{ name: "steer", kind: "input", params: [{ name: "toward", type: "vec2" }, { name: "run", type: "bool" }] }],
  predictions: [{ name: "walk", row: 1, reducer: 0 }, { name: "ask", row: 1, reducer: 0 }],
};

const name = (text: string) => [text.length, ...Buffer.from(text)];
const section = (id: number, ...content: number[]) => [id, content.length, ...content];
const I32 = 0x7f;
const F32 = 0x7d;

/**
 * evertick_alloc hands out memory from 1024 on. evertick_predict(index, row, .., args, .., seconds): with index 1 calls the host, and
 * else adds toward.x * seconds to at.x and 1 to steps.
 */
const WASM = Uint8Array.from([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
  ...section(1, 3, 0x60, 1, I32, 1, I32, 0x60, 6, I32, I32, I32, I32, I32, F32, 0, 0x60, 0, 0),
  ...section(2, 1, ...name("evertick_1"), ...name("log"), 0, 2),
  ...section(3, 2, 0, 1),
  ...section(5, 1, 0, 1),
  ...section(6, 1, I32, 1, 0x41, 0x80, 8, 0x0b),
  ...section(7, 3, ...name("memory"), 2, 0, ...name("evertick_alloc"), 0, 1, ...name("evertick_predict"), 0, 2),
  ...section(
    10, 2,
    // The old end of memory; the new one is `length` and up to 16 behind.
    17, 0, 0x23, 0, 0x23, 0, 0x20, 0, 0x6a, 0x41, 16, 0x6a, 0x41, 0x70, 0x71, 0x24, 0, 0x0b,
    ...(() => {
      const code = [
        0, 0x20, 0, 0x04, 0x40, 0x10, 0, 0x0b,
        0x20, 1, 0x20, 1, 0x2a, 2, 0, 0x20, 3, 0x2a, 2, 0, 0x20, 5, 0x94, 0x92, 0x38, 2, 0,
        0x20, 1, 0x20, 1, 0x28, 2, 8, 0x41, 1, 0x6a, 0x36, 2, 8, 0x0b,
      ];
      return [code.length, ...code];
    })(),
  ),
]);

interface Body {
  at: { x: number; y: number };
  steps: number;
}
type Steer = { toward: { x: number; y: number }; run: boolean };

test("a module's function does what it does on the server", async () => {
  const predictions = await loadPredictions(WASM, MODULE);
  const walk = predictions.step(prediction<Body, Steer>("walk"));
  const body = { at: { x: 1, y: 2 }, steps: 7 };
  walk(body, { toward: { x: 4, y: 0 }, run: false }, 0.5);
  walk(body, { toward: { x: -1, y: 0 }, run: true }, 0.25);
  assert.deepEqual(body, { at: { x: 2.75, y: 2 }, steps: 9 });
  assert.throws(() => walk(body, { toward: { x: 1, y: 0 } } as Steer, 1), /run must be a boolean/);
  assert.throws(() => predictions.step(prediction("fly")), /no prediction fly/);
});

test("a prediction that asks the host for something is stopped", async () => {
  const predictions = await loadPredictions(WASM, MODULE);
  const ask = predictions.step(prediction<Body, Steer>("ask"));
  assert.throws(() => ask({ at: { x: 1, y: 2 }, steps: 7 }, { toward: { x: 4, y: 0 }, run: false }, 0.5), /calls log/);
});

test("a file that is no module says so", async () => {
  const empty = WASM.slice(0, 8);
  await assert.rejects(loadPredictions(empty, MODULE), /exports no memory/);
});
