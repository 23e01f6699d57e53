/** Messages on a stream, however it is cut. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { ProtocolError } from "../src/errors.ts";
import { closeRecord, Deframer, framed, type LastWords } from "../src/framing.ts";

function all(deframer: Deframer, chunk: Uint8Array): (Uint8Array | LastWords)[] {
  deframer.push(chunk);
  const found = [];
  for (let next = deframer.next(); next !== undefined; next = deframer.next()) found.push(next);
  return found;
}

test("prefixes are those of the Rust side", () => {
  assert.deepEqual([...framed(Uint8Array.of(7, 8))], [3, 7, 8]);
  assert.deepEqual([...framed(new Uint8Array(0))], [1]);
  assert.deepEqual([...framed(new Uint8Array(127)).subarray(0, 3)], [0x80, 1, 0]);
  assert.deepEqual([...closeRecord({ code: 258, reason: "é" })], [0, 2, 1, 2, 0xc3, 0xa9]);
});

test("cuts make no difference", () => {
  const lengths = [0, 1, 2, 126, 127, 128, 20_000, 0, 3];
  const end = { code: 8, reason: "the server stops" };
  const parts = [...lengths.map((length, number) => framed(new Uint8Array(length).fill(number))), closeRecord(end)];
  const stream = Uint8Array.from(parts.flatMap((part) => [...part]));
  for (const size of [1, 2, 3, 5, 64, 1000, 16_384, stream.length]) {
    const deframer = new Deframer();
    const found = [];
    for (let at = 0; at < stream.length; at += size) found.push(...all(deframer, stream.subarray(at, at + size)));
    assert.deepEqual(found.pop(), end);
    assert.deepEqual(found.map((message) => (message as Uint8Array).length), lengths);
    found.forEach((message, number) => assert.ok((message as Uint8Array).every((byte) => byte === number)));
  }
});

test("nothing follows the last words", () => {
  const end = { code: 1, reason: "bye" };
  assert.deepEqual(all(new Deframer(), Uint8Array.of(...closeRecord(end), 2, 7, 0, 0, 0, 0)), [end]);
});

test("what makes no sense is refused", () => {
  assert.throws(() => all(new Deframer(), Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f)), ProtocolError);
  assert.throws(() => all(new Deframer(), Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff)), ProtocolError);
});
