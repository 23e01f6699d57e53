/** The lanes of a WebTransport. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { closeRecord, framed } from "../src/framing.ts";
import type { Socket } from "../src/socket.ts";
import { openWebTransport } from "../src/webtransport.ts";
import { FakeTransport, turn } from "./transport.ts";

interface Setting {
  readonly socket: Socket;
  readonly server: FakeTransport;
  readonly told: string[];
}

async function open(): Promise<Setting> {
  const told: string[] = [];
  const socket = openWebTransport("https://garden:7777/", undefined, FakeTransport, {
    open: () => told.push("open"),
    message: (bytes, lane) => told.push(`${lane} ${bytes.join()}`),
    text: () => told.push("text"),
    close: (error) => told.push(error.message),
  });
  const server = FakeTransport.last!;
  server.become();
  await turn();
  assert.deepEqual(told.splice(0), ["open"]);
  return { socket, server, told };
}

test("frames and states wait for the first message, and come by their lanes", async () => {
  const { server, told } = await open();
  const world = server.stream(1, 3, 7);
  server.datagram(9, 9);
  await turn();
  assert.deepEqual(told, []);
  server.say(framed(Uint8Array.of(1)));
  await turn();
  assert.deepEqual(told.splice(0), ["Control 1", "Latest 9,9"]);
  world.say(8, 2);
  await turn();
  assert.deepEqual(told.splice(0), ["World 7,8"]);
  world.say(6);
  server.datagram(4);
  await turn();
  assert.deepEqual(told.sort(), ["Latest 4", "World 6"]);
});

test("a message that no datagram holds comes alone on a stream", async () => {
  const { server, told } = await open();
  server.say(framed(Uint8Array.of(1)));
  const one = server.stream(2, 5);
  const other = server.stream(2);
  await turn();
  assert.deepEqual(told, ["Control 1"]);
  other.say(7, 7);
  other.end();
  one.say(6);
  await turn();
  one.end();
  await turn();
  assert.deepEqual(told.slice(1), ["Latest 7,7", "Latest 5,6"]);
});

test("streams that are too many, too long or unknown are not read", async () => {
  const { server, told } = await open();
  server.say(framed(Uint8Array.of(1)));
  const unknown = server.stream(9, 1);
  await turn();
  assert.ok(unknown.cancelled);
  const many = Array.from({ length: 9 }, () => server.stream(2, 1));
  await turn();
  assert.deepEqual(many.map(({ cancelled }) => cancelled), [...new Array<boolean>(8).fill(false), true]);
  many[0]!.say(...new Array<number>(64 * 1024).fill(0));
  await turn();
  assert.ok(many[0]!.cancelled);
  assert.deepEqual(told, ["Control 1"]);
});

test("inputs go by datagram where they fit", async () => {
  const { server, socket } = await open();
  assert.equal(socket.sendLatest(Uint8Array.of(5, 1)), true);
  assert.equal(socket.sendLatest(new Uint8Array(1_201)), false);
  await turn();
  assert.deepEqual(server.sentDatagrams.map((bytes) => [...bytes]), [[5, 1]]);
});

test("what was said before the end counts, although it arrives behind it", async () => {
  const { server, told } = await open();
  server.say(framed(Uint8Array.of(1)));
  const world = server.stream(1);
  await turn();
  server.say(closeRecord({ code: 8, reason: "the server stops" }));
  await turn();
  assert.deepEqual(told, ["Control 1"]);
  world.say(2, 5);
  world.end();
  await turn();
  assert.deepEqual(told.slice(1), ["World 5", "the connection to https://garden:7777/ was closed (code 8: the server stops)"]);
});

test("a stream of frames that does not end is not waited for longer than two seconds", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { server, told } = await open();
    server.say(framed(Uint8Array.of(1)));
    server.stream(1);
    server.say(closeRecord({ code: 8, reason: "" }));
    await turn();
    mock.timers.tick(1_999);
    await turn();
    assert.deepEqual(told, ["Control 1"]);
    mock.timers.tick(1);
    await turn();
    assert.deepEqual(told.slice(1), ["the connection to https://garden:7777/ was closed (code 8)"]);
  } finally {
    mock.timers.reset();
  }
});
