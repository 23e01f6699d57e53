/** A client that steers: inputs, their lead, and what is shown of them, against a server in memory. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Reader } from "../src/bytes.ts";
import { component, connect, input, prediction } from "../src/index.ts";
import type { ModuleDef } from "../src/schema.ts";
import { f32, FakeSocket, frame, pong, welcome } from "./server.ts";

interface Body {
  at: { x: number; y: number };
}
interface Steer {
  toward: { x: number; y: number };
}
const Body = component<Body>("Body");
const steer = input<Steer>("steer");
const walk = prediction<Body, Steer>("walk");

const MODULE: ModuleDef = {
  name: "walk",
  hash: "12".repeat(32),
  rows: [{ name: "Body", kind: "component", fields: [{ name: "at", type: "vec2" }], spatial: { at: 0 } }],
  reducers: [{ name: "steer", kind: "input", params: [{ name: "toward", type: "vec2" }] }],
  predictions: [{ name: "walk", row: 0, reducer: 0 }],
};

const step = (body: Body, { toward }: Steer, seconds: number) => {
  body.at.x += toward.x * seconds;
};

async function open() {
  const connecting = connect({ url: "ws://garden", module: MODULE, WebSocket: FakeSocket, reconnect: false });
  const socket = FakeSocket.last;
  socket.open();
  socket.say(welcome(MODULE.hash, "ab".repeat(32)));
  const client = await connecting;
  socket.say(frame(101, { entered: [[1, 1, 0, 0, 1, 2, 2, 0, 20, 3, 0, 2, 0, 1, 0, ...f32(5, 2)]] }));
  return { client, socket };
}

/** The inputs that were sent: their ticks and how far they go. */
function inputs(socket: FakeSocket): [number, number][] {
  const found: [number, number][] = [];
  for (const message of socket.sent) {
    if (message[0] !== 5) continue;
    const reader = Reader.of(message.subarray(1));
    const tick = reader.varint();
    assert.equal(reader.varint(), 1, "a WebSocket loses nothing, so nothing is repeated");
    assert.deepEqual([reader.varint(), reader.varint()], [0, 0]);
    found.push([tick, new DataView(reader.lengthed().slice().buffer).getFloat32(0, true)]);
  }
  return found;
}

test("what is steered is sent for a tick to come, shown at once, and put right by the server", async () => {
  const { client, socket } = await open();
  const body = client.predict(walk, 10n, step);
  assert.deepEqual(body.get(), { at: { x: 5, y: 2 } });
  const tick = client.input(steer, { toward: { x: 20, y: 0 } })!;
  assert.ok(tick > 101 && tick <= 116, `${tick}`);
  await Promise.resolve();
  assert.deepEqual(inputs(socket), [[tick, 20]]);
  const later = performance.now() + 60_000;
  assert.deepEqual(body.get(later), { at: { x: 6, y: 2 } }, "20 m a second for a tick of 50 ms");
  assert.deepEqual(client.get(Body, 10n), { at: { x: 5, y: 2 } }, "the replica is what the server says");
  // The server had it that a stone was in the way.
  socket.say(frame(tick, { states: [[1, 3, 0, 2, 0, 1, 0, ...f32(5.5, 2)]] }));
  assert.equal(body.correction, 0.5);
  assert.deepEqual(body.get(later + 60_000), { at: { x: 5.5, y: 2 } });
  body.stop();
  assert.equal(client.get(Body, 10n)?.at.x, 5.5);
  client.close();
  assert.equal(client.input(steer, { toward: { x: 1, y: 0 } }), null);
});

test("the lead follows what the server says of inputs", async () => {
  const { client, socket } = await open();
  const now = BigInt(Math.floor(performance.now() * 1000));
  socket.say(pong(now, -100_000));
  const { inputLeadTicks, inputSlackMs } = client.stats();
  assert.equal(inputSlackMs, -100);
  assert.ok(inputLeadTicks >= 5 && inputLeadTicks < 8, `${inputLeadTicks}`);
  socket.say(pong(now, 400_000));
  assert.ok(client.stats().inputLeadTicks < inputLeadTicks);
  client.close();
});

test("a step that throws ends its prediction, and nothing else", async () => {
  const { client } = await open();
  const thrown: unknown[] = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => thrown.push(error));
  try {
    const body = client.predict({ component: Body, input: steer }, 10n, () => {
      throw new Error("a bad step");
    });
    client.input(steer, { toward: { x: 1, y: 0 } });
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.match(String(thrown[0]), /a bad step/);
    assert.deepEqual(body.get(), { at: { x: 5, y: 2 } });
    assert.throws(() => client.predict({ component: component("Nothing"), input: steer }, 10n, () => {}), /no such prediction/);
  } finally {
    process.removeAllListeners("uncaughtException");
    for (const listener of listeners) process.on("uncaughtException", listener);
    client.close();
  }
});

test("conditions hold what is sent and what comes, and may end", async () => {
  const { client, socket } = await open();
  client.simulate({ latencyMs: 30 });
  socket.say(frame(102, { states: [[1, 3, 0, 2, 0, 1, 0, ...f32(7, 2)]] }));
  assert.equal(client.get(Body, 10n)?.at.x, 5);
  for (let tries = 0; client.get(Body, 10n)?.at.x !== 7; tries++) {
    assert.ok(tries < 2_000, "the frame never came");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  client.simulate(null);
  socket.say(frame(103, { states: [[1, 3, 0, 2, 0, 1, 0, ...f32(8, 2)]] }));
  assert.equal(client.get(Body, 10n)?.at.x, 8);
  client.close();
});
