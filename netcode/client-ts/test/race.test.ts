/** WebTransport and WebSocket, and which of them is used. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { ConnectionClosed } from "../src/errors.ts";
import { closeRecord, Deframer, framed } from "../src/framing.ts";
import { openBest } from "../src/race.ts";
import type { Socket } from "../src/socket.ts";
import { FakeSocket } from "./server.ts";
import { FakeTransport, turn } from "./transport.ts";

const HASH = "0f".repeat(32);

interface Setting {
  readonly socket: Socket;
  readonly told: string[];
}

/** What the server tells of itself; `null` is an answer that never comes. */
function race(document: unknown): Setting {
  FakeTransport.last = undefined;
  FakeSocket.last = undefined as never;
  const told: string[] = [];
  const platform = {
    WebSocket: FakeSocket,
    WebTransport: FakeTransport,
    fetch: async (url: string) => {
      assert.equal(url, "http://garden:7778/evertick.json");
      if (document === null) throw new Error("nobody there");
      return { ok: true, json: async () => document };
    },
  };
  const socket = openBest("ws://garden:7778", platform, {
    open: () => told.push(`open ${socket.transport}`),
    message: (bytes) => told.push(`message ${bytes.join()}`),
    text: () => told.push("text"),
    close: (error: ConnectionClosed) => told.push(error.message),
  });
  return { socket, told };
}

const offered = { quic: [{ port: 7777, certificate: HASH }] };

test("WebTransport is used where it opens", async () => {
  const { socket, told } = race(offered);
  await turn();
  const server = FakeTransport.last!;
  assert.deepEqual([server.url, server.hash], ["https://garden:7777/", new Uint8Array(32).fill(15)]);
  assert.equal(FakeSocket.last, undefined);
  server.become();
  await turn();
  assert.deepEqual(told.splice(0), ["open WebTransport"]);
  socket.send(Uint8Array.of(5, 6));
  await turn();
  assert.deepEqual(server.sent.map((bytes) => [...bytes]), [[0], [3, 5, 6]]);
  server.say(Uint8Array.from([...framed(Uint8Array.of(1)), ...framed(Uint8Array.of(2, 3)), 3, 4]));
  server.say(Uint8Array.of(5));
  await turn();
  assert.deepEqual(told.splice(0), ["message 1", "message 2,3", "message 4,5"]);
  server.stream(1).end();
  server.say(closeRecord({ code: 8, reason: "the server stops" }));
  await turn();
  assert.deepEqual(told, ["the connection to https://garden:7777/ was closed (code 8: the server stops)"]);
  assert.ok(server.over && !socket.open);
});

test("who leaves says so and lets the server go first", async () => {
  const { socket, told } = race(offered);
  await turn();
  const server = FakeTransport.last!;
  server.become();
  await turn();
  socket.close("Left");
  await turn();
  const deframer = new Deframer();
  deframer.push(server.sent.at(-1)!);
  assert.deepEqual(deframer.next(), { code: 1, reason: "Left" });
  assert.equal(server.over, false);
  server.drop();
  await turn();
  assert.deepEqual([server.over, told], [true, ["open WebTransport"]]);
});

test("a WebSocket is used where there is nothing else", async () => {
  for (const document of [null, {}, { quic: [] }, { quic: "yes" }, { quic: [{ port: 1, certificate: "bad" }] }]) {
    const { socket, told } = race(document);
    await turn();
    assert.equal(FakeTransport.last, undefined);
    FakeSocket.last.open();
    assert.deepEqual(told, ["open WebSocket"]);
    FakeSocket.last.say(Uint8Array.of(9));
    assert.equal(told.at(-1), "message 9");
    socket.close("Left");
    assert.equal(FakeSocket.last.readyState, 3);
  }
});

test("a WebSocket follows when WebTransport fails, or hangs", async () => {
  const refused = race(offered);
  await turn();
  FakeTransport.last!.refuse();
  await turn();
  FakeSocket.last.open();
  assert.deepEqual(refused.told, ["open WebSocket"]);

  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const hanging = race(offered);
    await turn();
    const started = () => FakeSocket.last as FakeSocket | undefined;
    mock.timers.tick(1_499);
    assert.equal(started(), undefined);
    mock.timers.tick(1);
    started()!.open();
    assert.deepEqual(hanging.told, ["open WebSocket"]);
    const late = FakeTransport.last!;
    assert.ok(late.over, "the loser is closed");
    late.become();
    await turn();
    assert.deepEqual(hanging.told, ["open WebSocket"]);
  } finally {
    mock.timers.reset();
  }
});

test("when nothing opens, that is told once", async () => {
  const { told } = race(offered);
  await turn();
  FakeTransport.last!.refuse();
  await turn();
  FakeSocket.last.drop();
  await turn();
  assert.deepEqual(told, ["no server answers at ws://garden:7778"]);
});

test("a connection that is lost is told of", async () => {
  const { told } = race(offered);
  await turn();
  FakeTransport.last!.become();
  await turn();
  FakeTransport.last!.drop();
  await turn();
  assert.deepEqual(told, ["open WebTransport", "the connection to https://garden:7777/ was lost"]);
});
