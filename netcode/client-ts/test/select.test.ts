/** Queries that are put together by types. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { and, component, field, ME, near, not, or, select, table, within } from "../src/index.ts";
import type { ModuleDef } from "../src/schema.ts";

interface Listing {
  id: bigint;
  seller: string;
  price: number;
  kind: number;
  note: string | null;
  open: boolean;
  weight: number;
}
const Listing = table<Listing, bigint>("Listing", "id");
const Position = component<{ at: { x: number; y: number } }>("Position");

const MODULE: ModuleDef = {
  name: "market",
  hash: "0".repeat(64),
  rows: [
    {
      name: "Listing",
      kind: { table: { key: 0 } },
      on_demand: true,
      fields: [
        { name: "id", type: "u64" },
        { name: "seller", type: "identity" },
        { name: "price", type: "u32" },
        { name: "kind", type: { enum: { name: "ItemKind", size: 1, variants: [{ name: "Sword", value: 0 }, { name: "Bow", value: 4 }] } } },
        { name: "note", type: { option: "string" } },
        { name: "open", type: "bool" },
        { name: "weight", type: "f32" },
      ],
    },
    { name: "Position", kind: "component", fields: [{ name: "at", type: "vec2" }], spatial: { at: 0 } },
  ],
  reducers: [],
};

const text = (condition: Parameters<ReturnType<typeof select>["where"]>[0]) => condition.text(MODULE);

test("a query says what its types say", () => {
  assert.equal(select(Listing).text(MODULE), "SELECT Listing.* FROM Listing");
  const query = select(Listing).join(Position).where(and(field(Listing, "kind").in([0, 4]), field(Listing, "price").between(10, 50)));
  assert.equal(
    query.where(near({ x: 120, y: -40.5 }, 64)).text(MODULE),
    'SELECT Listing.* FROM Listing JOIN Position USING (entity) WHERE ((Listing."kind" IN (\'Sword\', \'Bow\')) AND (Listing."price" BETWEEN 10 AND 50)) AND (near(120, -40.5, 64, 0))',
  );
});

test("constants are those of the field's type", () => {
  assert.equal(text(field(Listing, "id").above(2n ** 63n)), 'Listing."id" > 9223372036854775808');
  assert.equal(text(field(Listing, "seller").is(ME)), 'Listing."seller" = :me');
  assert.equal(text(field(Listing, "seller").not("ab".repeat(32))), `Listing."seller" <> '${"ab".repeat(32)}'`);
  assert.equal(text(field(Listing, "note").is("it's")), `Listing."note" = 'it''s'`);
  assert.equal(text(or(field(Listing, "note").isNull(), not(field(Listing, "open").is(true)))), '(Listing."note" IS NULL) OR (NOT (Listing."open" = TRUE))');
  assert.equal(text(field(Listing, "weight").atMost(0.1)), 'Listing."weight" <= 0.1');
  assert.equal(text(field(Position, "at", "x").atLeast(1e21)), 'Position."at"."x" >= 1000000000000000000000');
  assert.equal(text(within({ x: 0, y: 1 }, { x: 2, y: 3 }, 7)), "within(0, 1, 2, 3, 7)");
  assert.equal(text(and()), "TRUE");
});

test("what does not fit is said before it is asked", () => {
  assert.throws(() => text(field(Listing, "kind").is(9)), /9 is no value of enum ItemKind/);
  assert.throws(() => text(field(Listing, "weight").is(NaN)), RangeError);
  assert.throws(() => text(field(Listing, "seller").is("me")), /64 hex digits/);
  assert.throws(() => text(field(component<{ at: number }>("Stall"), "at").is(1)), /Stall has no field at/);
});
