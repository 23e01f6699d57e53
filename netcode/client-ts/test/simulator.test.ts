/** The simulated network. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { type Conditions, Path } from "../src/conditions.ts";
import type { ConnectionClosed } from "../src/errors.ts";
import { simulate } from "../src/simulator.ts";
import type { Lane, Socket, SocketEvents } from "../src/socket.ts";

const BAD: Conditions = { latencyMs: 50, jitterMs: 20, loss: 0.2, burst: 3, duplicate: 0.1, reorder: 0.1, seed: 7 };

const fates = (conditions: Conditions, lane: Lane, count: number, direction = 0) => {
  const path = new Path(conditions, direction);
  return Array.from({ length: count }, (_, index) => path.arrive(lane, index * 10));
};

test("the same seed is the same fate", () => {
  assert.deepEqual(fates(BAD, "Latest", 500), fates(BAD, "Latest", 500));
  assert.notDeepEqual(fates(BAD, "Latest", 500), fates({ ...BAD, seed: 8 }, "Latest", 500));
  assert.notDeepEqual(fates(BAD, "Latest", 500), fates(BAD, "Latest", 500, 1));
});

test("what must arrive does, once and in order", () => {
  for (const lane of ["Control", "World"] as const) {
    const arrivals = fates(BAD, lane, 2_000);
    assert.ok(arrivals.every((times) => times.length === 1));
    const times = arrivals.flat();
    times.forEach((time, index) => assert.ok(time >= index * 10 + 50 && (index === 0 || time >= times[index - 1]!)));
  }
});

test("as many are lost as wanted, in bursts", () => {
  for (const [loss, burst] of [[0, 1], [0.05, 1], [0.05, 4], [0.3, 10], [1, 1]] as const) {
    const lost = fates({ loss, burst, seed: 3 }, "Latest", 100_000).map((times) => times.length === 0);
    const count = lost.filter(Boolean).length;
    assert.ok(Math.abs(count / lost.length - loss) < 0.015, `${count} for ${loss}`);
    if (burst === 1) continue;
    const bursts = lost.filter((one, index) => one && !lost[index - 1]).length;
    assert.ok(Math.abs(count / bursts / burst - 1) < 0.1, `${count / bursts} in a row for ${burst}`);
  }
});

test("some are doubled, some overtaken, and a perfect network does nothing", () => {
  const arrivals = fates({ latencyMs: 20, duplicate: 0.1, reorder: 0.1, seed: 1 }, "Latest", 10_000);
  const doubled = arrivals.filter((times) => times.length === 2).length;
  assert.ok(Math.abs(doubled - 1_000) < 150, `${doubled} doubled`);
  const first = arrivals.map(([time]) => time!);
  assert.ok(first.some((time, index) => index > 0 && time < first[index - 1]!));
  assert.deepEqual(fates({}, "Latest", 3), [[0], [10], [20]]);
});

interface Setting {
  readonly socket: ReturnType<typeof simulate>;
  readonly inner: SocketEvents;
  readonly told: string[];
  readonly sent: string[];
}

function around(conditions: Conditions | null): Setting {
  let inner!: SocketEvents;
  const told: string[] = [];
  const sent: string[] = [];
  const open = (events: SocketEvents): Socket => {
    inner = events;
    return {
      transport: "WebTransport",
      open: true,
      send: (message) => sent.push(`ordered ${message.join()}`),
      sendLatest: (message) => sent.push(`latest ${message.join()}`) > 0,
      close: (reason) => sent.push(`close ${reason}`),
      drop: () => sent.push("drop"),
    };
  };
  const socket = simulate(open, conditions, {
    open: () => told.push("open"),
    message: (bytes, lane) => told.push(`${lane} ${bytes.join()}`),
    text: () => told.push("text"),
    close: (error: ConnectionClosed) => told.push(error.message),
  });
  return { socket, inner, told, sent };
}

test("without conditions a socket is as it is", () => {
  const { socket, inner, told, sent } = around(null);
  inner.open();
  inner.message(Uint8Array.of(1), "Control");
  socket.send(Uint8Array.of(2));
  assert.ok(socket.sendLatest(Uint8Array.of(3)));
  socket.close("bye");
  assert.deepEqual([told, sent], [["open", "Control 1"], ["ordered 2", "latest 3", "close bye"]]);
});

test("messages take their time, and conditions may change", () => {
  let now = 1_000;
  const clock = mock.method(performance, "now", () => now);
  mock.timers.enable({ apis: ["setTimeout"] });
  const pass = (ms: number) => {
    now += ms;
    mock.timers.tick(ms);
  };
  try {
    const { socket, inner, told, sent } = around({ latencyMs: 100 });
    inner.open();
    socket.send(Uint8Array.of(1));
    inner.message(Uint8Array.of(2), "World");
    pass(99);
    assert.deepEqual([told, sent], [["open"], []]);
    socket.setConditions({});
    inner.message(Uint8Array.of(9), "World");
    socket.setConditions(null);
    inner.message(Uint8Array.of(3), "World");
    assert.deepEqual(told, ["open"], "what was under way is not overtaken");
    pass(1);
    assert.deepEqual([told, sent], [["open", "World 2", "World 9", "World 3"], ["ordered 1"]]);
    inner.message(Uint8Array.of(4), "Latest");
    assert.equal(told.at(-1), "Latest 4");

    socket.setConditions({ latencyMs: 100 });
    socket.send(Uint8Array.of(5));
    socket.close("bye");
    assert.deepEqual(sent.slice(1), ["ordered 5", "close bye"], "what was said before the end is sent");
    pass(500);
    assert.equal(told.length, 5, "and nothing follows");
  } finally {
    mock.timers.reset();
    clock.mock.restore();
  }
});

test("the end comes behind what was said before it", () => {
  let now = 0;
  const clock = mock.method(performance, "now", () => now);
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { inner, told } = around({ latencyMs: 10, jitterMs: 200, loss: 0.5, seed: 2 });
    for (let index = 0; index < 20; index++) inner.message(Uint8Array.of(index), index % 2 === 0 ? "Control" : "World");
    inner.close({ message: "gone" } as ConnectionClosed);
    for (; now < 20_000; now += 10) mock.timers.tick(10);
    assert.equal(told.length, 21);
    assert.equal(told[0], "Control 0", "nothing overtakes the first");
    assert.equal(told.at(-1), "gone");
  } finally {
    mock.timers.reset();
    clock.mock.restore();
  }
});
