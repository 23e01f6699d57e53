/** The client as an application sees it, against a server in memory; the bindings are what codegen's tests generate. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { CallFailed, CallRefused, type Client, connect, ConnectionClosed, refused, SchemaMismatch } from "../src/index.ts";
import { Bag, delete_, gather, module, Player, Position, Said, say, WorldInfo } from "../../../tools/codegen/tests/golden/garden.ts";
import { closed, f32, FakeSocket, frame, welcome } from "./server.ts";

const ME = "ab".repeat(32);

// Row numbers of the garden.
const PLAYER = 0;
const POSITION = 1;
const SAID = 6;

async function open(): Promise<{ client: Client; socket: FakeSocket }> {
  const connecting = connect({ url: "ws://garden", module, token: "me", WebSocket: FakeSocket, reconnect: false });
  const socket = FakeSocket.last;
  socket.open();
  socket.say(welcome(module.hash, ME));
  return { client: await connecting, socket };
}

/** Topic 1, a cell: entities 10 and 11 in slots 0 and 1, with positions. */
const ENTERED = [1, 1, 0, 0, 0, 0, 0, 0, /* enter */ 2, 4, 0, 0, 20, 2, /* rows */ 3, POSITION, 4, 0, 0, 1, 0, ...f32(1, 2, 3, 4)];
/** Topic 2, ours: entity 10 is our player. */
const OURS = [2, 1, 0, 0, 1, 2, 2, 0, 20, 3, PLAYER, 2, 0, 1, 0, ...new Array<number>(32).fill(0xab)];

test("rows come, change and go, and are told of", async () => {
  const { client, socket } = await open();
  const told: string[] = [];
  client.onInsert(Position, (entity, { at }) => told.push(`+${entity} ${at.x},${at.y}`));
  client.onUpdate(Position, (entity, { at }, old) => told.push(`~${entity} ${old.at.x}->${at.x}`));
  client.onRemove(Position, (entity, { at }) => told.push(`-${entity} ${at.x},${at.y}`));
  const smooth = client.interpolate(Position, "at");

  assert.equal(client.playerEntity(), undefined);
  socket.say(frame(101, { entered: [ENTERED, OURS] }));
  assert.deepEqual(told.splice(0), ["+10 1,2", "+11 3,4"]);
  assert.equal(client.playerEntity(), 10n);
  assert.deepEqual([...client.query(Position, Player)], [[10n, { at: { x: 1, y: 2 } }, { identity: ME }]]);
  assert.deepEqual([...client.query(Position)].length, 2);

  // Slot 1 moves (quantized by 1/64: base 256 is 4 m); slot 0 is written, but as it was.
  socket.say(frame(102, { changed: [[1, 0, 0, 0, 3, POSITION, 4, 0, 0, 1, 1, 0, 0x80, 0x04, 0, 0x80, 0x04]] }));
  assert.deepEqual(told.splice(0), ["~10 1->4", "~11 3->4"]);
  assert.deepEqual(client.get(Position, 11n), { at: { x: 4, y: 4 } });
  assert.deepEqual(smooth.get(11n, 101.5), { x: 3.5, y: 4 });
  socket.say(frame(103, { changed: [[1, 0, 0, 0, 3, POSITION, 2, 1, 1, 1, 0, 0x80, 0x04, 0, 0x80, 0x04]] }));
  assert.deepEqual(told.splice(0), []);

  // Entity 11 leaves; the topic itself is left, but our own row stays.
  socket.say(frame(104, { changed: [[1, 0, 1, 0, 1, 2, 1]] }));
  assert.deepEqual(told.splice(0), ["-11 4,4"]);
  socket.say(frame(105, { left: [1] }));
  assert.deepEqual(told.splice(0), ["-10 4,4"]);
  assert.equal(client.has(Position, 10n), false);
  assert.equal(client.playerEntity(), 10n);
  assert.equal(smooth.get(11n, 105), undefined);
  assert.deepEqual([client.stats().entities, client.stats().rows, client.stats().topics, client.stats().tick], [1, 1, 1, 105]);
  assert.equal(client.resource(WorldInfo), undefined);
  client.close();
});

test("a row that crosses between topics is the same row", async () => {
  const { client, socket } = await open();
  socket.say(frame(101, { entered: [ENTERED, [2, 1, 0, 0, 0, 0, 2, 0]] }));
  const told: string[] = [];
  client.onInsert(Position, (entity) => told.push(`+${entity}`));
  client.onRemove(Position, (entity) => told.push(`-${entity}`));
  client.onUpdate(Position, (entity) => told.push(`~${entity}`));
  // Out of topic 1 and into topic 2, whichever comes first.
  const out = [1, 0, 1, 0, 1, 2, 0];
  const into = [2, 0, 1, 0, 2, 2, 7, 20, 3, POSITION, 2, 7, 1, 0, ...f32(9, 9)];
  socket.say(frame(102, { changed: [into, out] }));
  assert.deepEqual(told.splice(0), ["~10"]);
  const back = [1, 0, 2, 0, 2, 2, 0, 20, 3, POSITION, 2, 0, 1, 0, ...f32(9, 9)];
  socket.say(frame(103, { changed: [[2, 0, 2, 0, 1, 2, 7], back] }));
  assert.deepEqual(told.splice(0), []);
  assert.deepEqual(client.get(Position, 10n)?.at, { x: 9, y: 9 });
  client.close();
});

test("events are heard until the listener leaves", async () => {
  const { client, socket } = await open();
  const heard: string[] = [];
  const stop = client.onEvent(Said, ({ by, text, at }) => heard.push(`${by} ${text} ${at}`));
  const row = [10, 0, 0, 0, 0, 0, 0, 0, 24, 0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0x68, 0x69];
  const event = [1, 0, 0, 0, 5, SAID, 1, row.length, ...row];
  socket.say(frame(101, { entered: [ENTERED] }));
  socket.say(frame(102, { changed: [event] }));
  stop();
  socket.say(frame(103, { changed: [event] }));
  assert.deepEqual(heard, ["10 hi 7"]);
  client.close();
});

test("calls are typed, and so are their answers", async () => {
  const { client, socket } = await open();
  const done = client.call(say, { text: "é", loud: true });
  const taken = client.call(gather, { node: 10n });
  const far = client.call(gather, { node: 11n });
  const failed = client.call(delete_);
  const before = socket.sent.length;
  assert.equal(socket.calls().length, 0);
  await Promise.resolve();
  assert.equal(socket.sent.length, before + 1, "calls of one turn go as one message");
  const calls = socket.calls();
  assert.deepEqual(calls.map(({ seq, reducer }) => [seq, reducer]), [[1, 4], [2, 1], [3, 1], [4, 2]]);
  assert.deepEqual([...calls[0]!.args], [9, 0, 0, 0, 2, 0, 0, 0, 1, 0xc3, 0xa9]);
  assert.equal(client.stats().pendingCalls, 4);

  const tooFar = [1, 0, 3, 0x68, 0x6d, 0x6d, ...f32(4.5)];
  const results = [
    [1, 0, 0],
    [2, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0],
    [3, 1, tooFar.length, ...tooFar],
    [4, 2, 11, 6, 1, 0x21, 9, 0, 0, 0, 0, 0, 0, 0],
  ];
  socket.say(frame(101, { results }));
  assert.equal(await done, undefined);
  assert.deepEqual(await taken, { item: 3, count: 2 });
  const refusal = await far.catch((error: unknown) => error);
  assert.ok(refused(gather, refusal) && refusal instanceof CallRefused);
  assert.deepEqual([refusal.refusal, refusal.message], [{ type: "TooFar", meters: 4.5 }, "hmm"]);
  const failure = await failed.catch((error: unknown) => error);
  assert.ok(failure instanceof CallFailed && !refused(gather, failure));
  assert.deepEqual([failure.code, failure.id, failure.reducer, failure.message], ["Internal", 9n, "delete", "!"]);
  client.close();
});

test("arguments of the wrong type are not sent", async () => {
  const { client, socket } = await open();
  await assert.rejects(client.call(gather, { node: 5 } as never), /gather\.node must be a bigint/);
  await assert.rejects(client.call(say, { text: "x" } as never), /say\.loud must be a boolean/);
  await assert.rejects(client.call(gather, { node: 2n ** 64n }), RangeError);
  await Promise.resolve();
  assert.equal(socket.calls().length, 0);
  client.close();
});

test("waiting calls are bounded", async () => {
  const { client } = await open();
  const waiting = Array.from({ length: 1024 }, () => client.call(delete_));
  const busy = await client.call(delete_).catch((error: unknown) => error);
  assert.ok(busy instanceof CallFailed && busy.code === "Busy");
  client.close();
  for (const call of waiting) await assert.rejects(call, ConnectionClosed);
});

test("a connection ends with a reason, and its calls with it", async () => {
  const cases: [string, (socket: FakeSocket, client: Client) => void, RegExp][] = [
    ["TooSlow", (socket) => socket.say(closed(5, "you read too slowly")), /too slowly/],
    ["Internal", (socket) => socket.say(closed(999, "")), /closed: Internal/],
    ["Lost", (socket) => socket.drop(), /was lost \(code 1006\)/],
    ["Left", (_, client) => client.close(), /has left/],
    ["Protocol", (socket) => socket.say(Uint8Array.of(0x82, 1)), /ends/],
    ["Protocol", (socket) => socket.say("text"), /sent text/],
    ["Protocol", (socket) => socket.say(frame(101, { results: [[77, 0, 0]] })), /answer to call 77/],
  ];
  for (const [reason, end, text] of cases) {
    const { client, socket } = await open();
    const call = client.call(delete_);
    end(socket, client);
    const why = await client.closed;
    assert.equal(why.reason, reason);
    assert.match(why.message, text);
    await assert.rejects(call, ConnectionClosed);
    await assert.rejects(client.call(delete_), ConnectionClosed);
    assert.equal(socket.readyState, 3);
  }
});

test("a server that turns us away, is not there, or says nothing", async () => {
  const attempt = async (act: (socket: FakeSocket) => void, timeoutMs = 1000) => {
    const connecting = connect({ url: "ws://garden", module, WebSocket: FakeSocket, timeoutMs });
    act(FakeSocket.last);
    return connecting.catch((error: unknown) => error);
  };
  const welcomeOther = welcome("cd".repeat(32), ME);
  const opened = (bytes: Uint8Array) => (socket: FakeSocket) => (socket.open(), socket.say(bytes));
  const away = await attempt(opened(closed(6, "who are you?")));
  assert.ok(away instanceof ConnectionClosed && away.reason === "Unauthorized" && away.message === "who are you?");
  const absent = await attempt((socket) => socket.drop());
  assert.ok(absent instanceof ConnectionClosed && /no server answers at ws:\/\/garden/.test(absent.message));
  const silent = await attempt((socket) => socket.open(), 20);
  assert.ok(silent instanceof ConnectionClosed && silent.reason === "Timeout");
  assert.ok((await attempt(opened(welcomeOther))) instanceof SchemaMismatch);
});

test("another version of the module is compared by what the bindings name", async () => {
  const attempt = (change: (json: string) => string) => {
    const connecting = connect({ url: "ws://garden", module, WebSocket: FakeSocket });
    FakeSocket.last.open();
    const rows = module.rows.map((row) => row ?? { name: "Hidden", kind: "component", fields: [] });
    const reducers = module.reducers.map((reducer) => reducer ?? { name: "hidden", params: [] });
    FakeSocket.last.say(welcome("cd".repeat(32), ME, { description: change(JSON.stringify({ name: "garden", rows, reducers })) }));
    return connecting;
  };
  const client = await attempt((json) => json.replace('"name":"Hidden"', '"name":"New"'));
  assert.equal(client.count(Bag), 0);
  client.close();
  await assert.rejects(
    attempt((json) => json.replace('"meters","type":"f32"', '"meters","type":"f64"').replace('"Bag"', '"Sack"')),
    (error) => error instanceof SchemaMismatch && error.problems.join() === "row Bag is gone,reducer gather has changed",
  );
});

test("without bindings the server's description is asked for", async () => {
  const connecting = connect({ url: "ws://garden", WebSocket: FakeSocket });
  FakeSocket.last.open();
  assert.deepEqual([...FakeSocket.last.sent[0]!.subarray(0, 34)], [1, 1, ...new Array<number>(32).fill(0)]);
  FakeSocket.last.say(welcome("cd".repeat(32), ME, { description: JSON.stringify({ name: "m", rows: [], reducers: [] }) }));
  const client = await connecting;
  assert.throws(() => client.count(Bag), /no row type Bag/);
  client.close();
});
