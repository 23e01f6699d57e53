/** Sessions that outlive their connections. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { CallFailed, type Client, connect, ConnectionClosed, type ConnectOptions, QueryRefused, type TicketStore } from "../src/index.ts";
import { Retries } from "../src/reconnect.ts";
import { readTicket, writeTicket } from "../src/ticket.ts";
import { delete_, gather, module, Position } from "../../../tools/codegen/tests/golden/garden.ts";
import { closed, f32, FakeSocket, frame, type Greeting, pong, queries, welcome } from "./server.ts";

const ME = "ab".repeat(32);
const QUICK = { backoffMs: [1, 5] as const };

/** Topic 1, a cell: entity 10 in slot 0, at (1, 2). */
const entered = (version: number, x = 1) => [1, 1, version, 0, 0, 0, 0, 0, 2, 2, 0, 20, 3, 1, 2, 0, 1, 0, ...f32(x, 2)];

interface Setting {
  readonly client: Client;
  readonly socket: FakeSocket;
  readonly states: string[];
}

async function open(options: Partial<ConnectOptions> = {}, greeting: Greeting = {}): Promise<Setting> {
  const connecting = connect({ url: "ws://garden", module, token: "me", WebSocket: FakeSocket, reconnect: QUICK, ...options });
  const socket = FakeSocket.last;
  socket.open();
  socket.say(welcome(module.hash, ME, greeting));
  const client = await connecting;
  const states: string[] = [];
  client.onState((state) => states.push(state));
  return { client, socket, states };
}

async function until(happened: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !happened(); tries++) {
    assert.ok(tries < 2_000, `${what} never happened`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The socket of the next attempt. */
async function next(before: FakeSocket): Promise<FakeSocket> {
  await until(() => FakeSocket.last !== before, "an attempt to come back");
  FakeSocket.last.open();
  return FakeSocket.last;
}

/** The session, secret byte and results that a Hello wants to resume; `null` for none. */
function resumes(socket: FakeSocket): [bigint, number, number] | null {
  const bytes = socket.sent[0]!;
  assert.equal(bytes[0], 1);
  if ((bytes[34]! & 2) === 0) return null;
  const at = 36 + bytes[35]!;
  return [new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at, true), bytes[at + 8]!, bytes[at + 24]!];
}

test("a session is resumed, and its calls are made once", async () => {
  const { client, socket, states } = await open();
  socket.say(frame(101, { entered: [entered(0)] }));
  const calls = Array.from({ length: 4 }, (_, index) => client.call(gather, { node: BigInt(index) }));
  await Promise.resolve();
  socket.say(frame(102, { results: [[1, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0]] }));
  assert.deepEqual(await calls[0], { item: 3, count: 2 });
  socket.drop();
  assert.deepEqual([client.state, states], ["Reconnecting", ["Reconnecting"]]);
  const later = client.call(delete_);
  assert.equal(client.has(Position, 10n), true, "what is seen stays");

  const again = await next(socket);
  assert.deepEqual(resumes(again), [5n, 7, 1]);
  // The server had taken three of the four calls, and has answered the second.
  again.say(welcome(module.hash, ME, { resumed: true, calls: 3 }));
  assert.deepEqual([client.state, states], ["Connected", ["Reconnecting", "Connected"]]);
  await Promise.resolve();
  assert.deepEqual(again.calls().map(({ seq }) => seq), [4, 5]);
  const told: string[] = [];
  client.onUpdate(Position, (entity, { at }) => told.push(`~${entity} ${at.x}`));
  client.onRemove(Position, (entity) => told.push(`-${entity}`));
  again.say(frame(180, { left: [9], entered: [entered(3, 8)], results: [[2, 0, 8, 1, 0, 0, 0, 1, 0, 0, 0], [3, 0, 8, 1, 0, 0, 0, 1, 0, 0, 0], [4, 2, 11, 6, 1, 0x21, 9, 0, 0, 0, 0, 0, 0, 0], [5, 0, 0]] }));
  assert.deepEqual(told, ["~10 8"], "the replica goes on as if nothing had been");
  await Promise.all([calls[1], calls[2], later]);
  await assert.rejects(calls[3]!, CallFailed);
  assert.deepEqual([client.stats().resumes, client.stats().pendingCalls, client.session], [1, 0, 5n]);
  client.close();
  assert.equal(states.at(-1), "Closed");
});

test("attempts go on until the server is there", async () => {
  const { client, socket } = await open();
  let last = socket;
  socket.drop();
  for (let attempt = 0; attempt < 3; attempt++) {
    await until(() => FakeSocket.last !== last, "an attempt");
    last = FakeSocket.last;
    last.drop();
  }
  const again = await next(last);
  again.say(welcome(module.hash, ME, { resumed: true }));
  assert.equal(client.state, "Connected");
  client.close();
});

test("a session that can't be resumed ends the client, or a new one begins", async () => {
  const one = await open();
  one.socket.drop();
  (await next(one.socket)).say(closed(12, "too late"));
  assert.deepEqual([(await one.client.closed).reason, one.client.state], ["Expired", "Closed"]);

  const { client, socket } = await open({ reconnect: { ...QUICK, newSession: true } });
  socket.say(frame(101, { entered: [entered(0)] }));
  const told: string[] = [];
  client.onInsert(Position, (entity) => told.push(`+${entity}`));
  client.onRemove(Position, (entity) => told.push(`-${entity}`));
  client.onUpdate(Position, (entity, { at }) => told.push(`~${entity} ${at.x}`));
  const call = client.call(delete_);
  await Promise.resolve();
  socket.drop();
  const refused = await next(socket);
  refused.say(closed(12, "too late"));
  const again = await next(refused);
  assert.equal(resumes(again), null);
  again.say(welcome(module.hash, ME, { session: 6n, tick: 3 }));
  const lost = await call.catch((error: unknown) => error);
  assert.ok(lost instanceof ConnectionClosed && lost.reason === "Lost");
  assert.equal(client.session, 6n);
  assert.deepEqual(told, [], "what was seen stays until the new session's first frame");
  again.say(frame(4, { number: 1, entered: [[2, 1, 0, 0, 0, 0, 2, 0, 2, 4, 0, 0, 20, 2, 3, 1, 4, 0, 0, 1, 0, ...f32(5, 2, 6, 6)]] }));
  assert.deepEqual(told, ["+11", "~10 5"]);
  const first = client.call(delete_);
  await Promise.resolve();
  assert.deepEqual(again.calls().map(({ seq }) => seq), [1], "calls are counted anew");
  again.say(frame(5, { number: 2, results: [[1, 0, 0]] }));
  await first;
  client.close();
});

test("queries are asked, answered, refused, explained and ended, and asked again where they must", async () => {
  const { client, socket } = await open({ reconnect: { ...QUICK, newSession: true } });
  const sent = async (from: FakeSocket) => (await Promise.resolve(), queries(from));
  const one = client.subscribe("SELECT * FROM Ore");
  assert.deepEqual(await sent(socket), ["1 SELECT * FROM Ore"]);
  socket.say(frame(101, { queries: [[1, 0, 1, 9]] }));
  const ore = await one;
  const bad = client.subscribe("SELECT nonsense");
  assert.deepEqual((await sent(socket)).slice(1), ["2 SELECT nonsense"]);
  socket.say(frame(102, { queries: [[2, 1, 2, 0x6e, 0x6f], [1, 0, 2, 9, 10]] }));
  await assert.rejects(bad, (error) => error instanceof QueryRefused && error.message === "no" && error.text === "SELECT nonsense");
  const how = client.explain("SELECT * FROM Ore");
  assert.deepEqual((await sent(socket)).slice(2), ["3 EXPLAIN SELECT * FROM Ore"]);
  socket.say(frame(103, { queries: [[3, 2, 4, 0x73, 0x63, 0x61, 0x6e]] }));
  assert.equal(await how, "scan");

  const late = client.subscribe("SELECT * FROM Gem");
  const brief = client.subscribe("SELECT * FROM Brief");
  await Promise.resolve();
  socket.say(frame(103, { queries: [[5, 0, 0]] }));
  socket.drop();
  (await brief).end();
  const again = await next(socket);
  again.say(welcome(module.hash, ME, { resumed: true }));
  assert.deepEqual(await sent(again), ["5 ended", "4 SELECT * FROM Gem"]);
  again.say(frame(104, { queries: [[4, 0, 0]] }));
  const gem = await late;
  again.drop();
  const anew = await next(again);
  anew.say(closed(12, "too late"));
  const third = await next(anew);
  third.say(welcome(module.hash, ME, { session: 6n }));
  assert.deepEqual(await sent(third), ["1 SELECT * FROM Ore", "2 SELECT * FROM Gem"], "a new session is asked for all");
  gem.end();
  ore.end();
  ore.end();
  await Promise.resolve();
  assert.deepEqual(third.sent.at(-1), Uint8Array.of(8, 2, 8, 1));
  const waiting = Array.from({ length: 32 }, () => client.subscribe("SELECT * FROM Ore"));
  await assert.rejects(client.subscribe("one more"), QueryRefused);
  client.close();
  for (const query of waiting) await assert.rejects(query, ConnectionClosed);
});

test("what the server ends stays ended", async () => {
  for (const [code, reason] of [[5, "TooSlow"], [6, "Unauthorized"], [11, "Replaced"], [8, "Shutdown"]] as const) {
    const { client, socket, states } = await open();
    socket.say(closed(code, "no"));
    socket.drop();
    assert.equal((await client.closed).reason, reason);
    assert.deepEqual(states, ["Closed"]);
    assert.equal(FakeSocket.last, socket);
  }
});

test("a client that leaves while it comes back is left alone", async () => {
  const { client, socket } = await open();
  const call = client.call(delete_);
  socket.drop();
  client.close();
  await assert.rejects(call, ConnectionClosed);
  assert.equal((await client.closed).reason, "Left");
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(FakeSocket.last, socket, "no attempt was made");
});

test("another version of the module is not gone on with", async () => {
  const { client, socket } = await open();
  socket.drop();
  (await next(socket)).say(welcome("cd".repeat(32), ME, { resumed: true }));
  assert.deepEqual([(await client.closed).reason, client.state], ["Unsupported", "Closed"]);
});

test("a page that is loaded again goes on with its session", async () => {
  let kept: string | null = null;
  const tickets: TicketStore = { load: () => kept, save: (ticket) => void (kept = ticket) };
  const one = await open({ tickets });
  assert.equal(one.client.resumed, false);
  const call = one.client.call(delete_);
  call.catch(() => {});
  await Promise.resolve();
  one.socket.say(frame(101, { results: [[1, 0, 0]] }));
  assert.deepEqual(readTicket(one.client.ticket()), { session: 5n, secret: new Uint8Array(16).fill(7), results: 1 });
  kept = one.client.ticket();

  // The page is gone without a word; the next one finds the ticket.
  const two = await open({ tickets }, { resumed: true, calls: 2 });
  assert.deepEqual([resumes(two.socket), two.client.resumed], [[5n, 7, 1], true]);
  two.socket.say(frame(102, { entered: [entered(4)], results: [[2, 0, 0]] }));
  assert.equal(two.client.has(Position, 10n), true);
  const third = two.client.call(delete_);
  await Promise.resolve();
  assert.deepEqual(two.socket.calls().map(({ seq }) => seq), [3], "the count of calls goes on");
  two.socket.say(frame(103, { results: [[3, 0, 0]] }));
  await third;
  assert.deepEqual(readTicket(kept)?.session, 5n);
  two.client.close();
  assert.equal(kept, null, "who has left does not come back");
  one.client.close();
});

test("an old ticket begins a new session", async () => {
  const kept = writeTicket({ session: 77n, secret: new Uint8Array(16), results: 0 });
  const connecting = connect({ url: "ws://garden", module, WebSocket: FakeSocket, tickets: { load: () => kept, save: () => {} } });
  const first = FakeSocket.last;
  first.open();
  assert.deepEqual(resumes(first), [77n, 0, 0]);
  first.say(closed(12, "too late"));
  const again = await next(first);
  assert.equal(resumes(again), null);
  again.say(welcome(module.hash, ME));
  const client = await connecting;
  assert.equal(client.resumed, false);
  client.close();
  for (const bad of [null, "", "5.07.1", `5.${"07".repeat(16)}`, `x.${"07".repeat(16)}.1`]) assert.equal(readTicket(bad), undefined);
});

test("a server that falls silent is lost", async () => {
  mock.timers.enable({ apis: ["setInterval"] });
  try {
    const { client, socket } = await open();
    for (let beats = 0; beats < 20; beats++) {
      mock.timers.tick(1_000);
      socket.say(pong(BigInt(Math.floor(performance.now() * 1000))));
    }
    assert.equal(client.state, "Connected");
    mock.timers.tick(9_000);
    assert.equal(client.state, "Reconnecting");
    client.close();
  } finally {
    mock.timers.reset();
  }
});

test("attempts come ever later, up to a bound, for as long as there is a session to resume", () => {
  const retries = new Retries({}, 0, () => 0.5);
  assert.deepEqual(Array.from({ length: 8 }, () => retries.delay()), [100, 200, 400, 800, 1_600, 3_000, 3_000, 3_000]);
  assert.deepEqual([retries.resumable(59_999), retries.resumable(60_000)], [true, false]);
  const chance = new Retries({ backoffMs: [10, 20] }, 0);
  for (let attempt = 0; attempt < 50; attempt++) {
    const delay = chance.delay();
    assert.ok(delay >= 5 && delay <= 20, `${delay}`);
  }
});
