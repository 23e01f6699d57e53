/** What a description says about stored rows is not the client's business. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { incompatibilities, readDescription } from "../src/schema.ts";

const field = (name: string, type: unknown, more: object = {}) => ({ name, type, ...more });
const stack = (more: object) => ({ struct: { name: "Stack", fields: [field("item", "u32", more)] } });

function description(row: object, more: object): string {
  const fields = [field("of", stack(more), more), field("count", "u32", more)];
  const rows = [{ name: "Bag", kind: "component", fields, visible: "owner", ...row }];
  const upgrade = { name: "upgrade", kind: "upgrade", params: [] };
  const take = { name: "take", kind: "call", params: [field("what", stack(more))] };
  return JSON.stringify({ abi: 1, name: "game", rows, reducers: [upgrade, take], systems: [] });
}

test("storage classes, former names and defaults are ignored", () => {
  const plain = readDescription(description({}, {}), "");
  for (const storage of ["transient", { checkpoint: { every_us: 5_000_000 } }]) {
    const more = { was: "number", default: "0a000000" };
    const stored = readDescription(description({ storage, was: "Sack" }, more), "");
    assert.deepEqual(stored, plain);
    assert.deepEqual(incompatibilities(plain, stored), []);
  }
});

test("other types are still noticed", () => {
  const plain = readDescription(description({}, {}), "");
  const other = readDescription(description({}, {}).replaceAll("u32", "u64"), "");
  assert.deepEqual(incompatibilities(plain, other), ["row Bag has changed", "reducer take has changed"]);
});
