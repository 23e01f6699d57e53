/** This client reads and writes what the Rust implementation reads and writes. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";

import { ProtocolError } from "../src/errors.ts";
import { readMessage } from "../src/messages.ts";
import { type Replies, readReplies } from "../src/replies.ts";
import { bye, call, hello, input, ping, report, subscribe, unsubscribe } from "../src/requests.ts";
import { dequantize, quantize, quantizerOf } from "../src/quantizer.ts";
import { type Applied, Replica } from "../src/replica.ts";
import { type ModuleDef, readDescription, type WireDef } from "../src/schema.ts";
import { float, FOLDER, fromFloat, fromHex, goldenBytes, goldenJson, roundRow, rowToGolden, time, toHex } from "./golden.ts";

/** The fields of all kinds of messages; each has some of them. */
interface Json {
  kind: string;
  protocol: number;
  schema: string;
  unconfirmed: boolean;
  token: string;
  seq: number;
  reducer: number;
  args: string;
  client_us: string;
  results: string;
  session: string;
  identity: string;
  tick: string;
  tick_us: number;
  tick_cost_us: number;
  time_us: string;
  description: string | null;
  code: number;
  message: string;
  resume: { session: string; secret: string; results: string } | null;
  entries: { tick: string; reducer: number; args: string }[];
  frame: string;
  round_trip_us: number;
  jitter_us: number;
  staleness_us: number;
  states_received: number;
  states_lost: number;
  query: number;
  text: string;
  resumed: boolean;
  secret: string;
  calls: number;
  bytes_per_second: number;
  slack_us: string | null;
}

interface Step {
  file: string;
  tick: string;
  time_us: string;
  changes: { change: string; row: string; entity: string; old: Record<string, unknown> | null }[];
  events: { row: string; value: Record<string, unknown> }[];
  results: Record<string, unknown>[];
  rows: Record<string, Record<string, Record<string, unknown>>>;
  lane: string;
  number: string;
  queries: Record<string, unknown>[];
  states: Record<"messages_applied" | "messages_stale" | "messages_malformed" | "rows_applied" | "rows_skipped", string | number>;
  /** A State message that is dropped. */
  malformed?: boolean;
}

const NO_HASH = "0".repeat(64);

/** A client message as this client writes it. */
function written(message: Json): Uint8Array {
  switch (message.kind) {
    case "hello": {
      const { resume } = message;
      const session = resume && { session: BigInt(resume.session), secret: fromHex(resume.secret), results: BigInt(resume.results) };
      return hello({ schema: message.schema, unconfirmed: message.unconfirmed, token: fromHex(message.token), ...(session && { resume: session }) });
    }
    case "call":
      return call(message.seq, message.reducer, fromHex(message.args));
    case "ping":
      return ping(BigInt(message.client_us), BigInt(message.results));
    case "input":
      return input(message.entries.map(({ tick, reducer, args }) => ({ tick: BigInt(tick), reducer, args: fromHex(args) })));
    case "report":
      return report({
        frame: BigInt(message.frame),
        roundTripMicros: message.round_trip_us,
        jitterMicros: message.jitter_us,
        stalenessMicros: message.staleness_us,
        statesReceived: message.states_received,
        statesLost: message.states_lost,
      });
    case "subscribe":
      return subscribe(message.query, message.text);
    case "unsubscribe":
      return unsubscribe(message.query);
    default:
      assert.equal(message.kind, "bye");
      return bye();
  }
}

test("client messages are written as in the corpus", () => {
  for (const { file, message } of goldenJson<{ file: string; message: Json }[]>("client.json")) {
    assert.equal(toHex(written(message)), toHex(goldenBytes(file)), file);
  }
});

test("server messages are read as in the corpus", () => {
  const codes = ["Normal", "BadMessage", "TooLarge", "Flooding", "TooSlow", "Unauthorized", "Unsupported", "Shutdown", "Internal", "Timeout", "Replaced", "Expired"];
  for (const { file, message } of goldenJson<{ file: string; message: Json }[]>("server.json")) {
    const read = readMessage(goldenBytes(file));
    assert.equal(String(read.kind), message.kind, file);
    if (read.kind === "closed") {
      assert.deepEqual([codes.indexOf(read.reason) + 1, read.message], [message.code, message.message], file);
    } else if (read.kind === "pong") {
      assert.deepEqual(
        [String(read.clientTime), time(read.tick), time(read.time), read.tickCost, read.slack],
        [message.client_us, time(message.tick), time(message.time_us), message.tick_cost_us, message.slack_us === null ? null : Number(message.slack_us)],
        file,
      );
    } else if (read.kind === "welcome") {
      assert.deepEqual(
        [read.protocol, String(read.session), read.identity, time(read.tick), read.tickLength, time(read.time), read.schema, read.description],
        [message.protocol, message.session, message.identity, time(message.tick), message.tick_us, time(message.time_us), message.schema, message.description],
        file,
      );
      assert.deepEqual(
        [read.resumed, toHex(read.secret), read.calls, read.bytesPerSecond],
        [message.resumed, message.secret, message.calls, message.bytes_per_second],
        file,
      );
    }
  }
});

const corpora = readdirSync(FOLDER).flatMap((name) => /^replica-([a-z]+)\.json$/.exec(name)?.[1] ?? []);

for (const name of corpora) {
  test(`messages are applied as in the corpus: ${name}`, () => {
    const { description, steps } = goldenJson<{ description: unknown; steps: Step[] }>(`replica-${name}.json`);
    const module = readDescription(JSON.stringify(description), NO_HASH);
    const replica = new Replica(module, 40);
    for (const table of replica.tables) if (table) table.watched = true;
    for (const step of steps) checkStep(module, replica, step);
  });
}

test("the corpus is there", () => {
  for (const name of ["encodings", "kinds", "quantized", "results", "topics"]) assert.ok(corpora.includes(name), name);
});

/** Applies a step's message. */
function applyStep(replica: Replica, step: Step): { applied: Applied | null; replies: Replies } {
  const message = readMessage(goldenBytes(step.file));
  if (message.kind === "state") return { applied: replica.applyState(message), replies: { results: [], queries: [] } };
  assert.ok(message.kind === "frame");
  return { applied: replica.apply(message.reader), replies: readReplies(message.reader) };
}

function checkStep(module: ModuleDef, replica: Replica, step: Step): void {
  const { applied, replies } = applyStep(replica, step);
  const results = replies.results.map(({ seq, result }) =>
    result.status === "ok" ? { seq, status: "ok", payload: toHex(result.payload) }
    : result.status === "refused" ? { seq, status: "refused", variant: result.variant, message: result.message, fields: toHex(result.fields) }
    : { seq, status: "failed", code: failCode(result.code), message: result.message, id: String(result.id) },
  );
  const queries = replies.queries.map(({ query, result }) =>
    result.status === "applied" ? { query, status: "applied", topics: result.topics }
    : result.status === "refused" ? { query, status: "refused", message: result.text }
    : { query, status: "explained", plan: result.text },
  );
  const fields = (row: string) => module.rows.find((def) => def?.name === row)!.fields;
  const changes = (applied?.changes ?? []).flatMap(([number, { inserted, updated, before, removed, last }]) => {
    const def = module.rows[number]!;
    const change = (kind: string, local: number, old: Readonly<Record<string, unknown>> | undefined) => ({
      change: kind,
      row: def.name,
      entity: String(replica.entities.id(local)),
      old: old ? rowToGolden(def.fields, old) : null,
    });
    return [
      ...inserted.map((local) => change("inserted", local, undefined)),
      ...updated.map((local, index) => change("updated", local, before[index])),
      ...removed.map((local, index) => change("removed", local, last[index])),
    ].sort((a, b) => (BigInt(a.entity) < BigInt(b.entity) ? -1 : 1));
  });
  const rows: Step["rows"] = {};
  replica.tables.forEach((table) => {
    for (let row = 0; row < (table?.count ?? 0); row++) {
      (rows[table!.def.name] ??= {})[String(replica.entities.id(table!.locals[row]!))] = rowToGolden(table!.def.fields, table!.object(row));
    }
  });
  const rounded = (row: string, value: Record<string, unknown> | null) => value && roundRow(fields(row), value);
  if (applied && !step.malformed) {
    assert.equal(time(applied.tick), time(step.tick), step.file);
    assert.equal(time(applied.time), time(step.time_us), step.file);
    if (step.number !== undefined) assert.equal(time(applied.number), time(step.number), step.file);
    if (step.lane !== undefined) assert.equal(applied.lane, step.lane, step.file);
  }
  assert.deepEqual(changes, step.changes.map((change) => ({ ...change, old: rounded(change.row, change.old) })), step.file);
  assert.deepEqual(
    (applied?.events ?? []).map(({ row, value }) => ({ row: module.rows[row]!.name, value: rowToGolden(module.rows[row]!.fields, value) })),
    step.events.map(({ row, value }) => ({ row, value: rounded(row, value) })),
    step.file,
  );
  assert.deepEqual(results, step.results, step.file);
  if (step.queries) assert.deepEqual(queries, step.queries, step.file);
  if (step.states) {
    const { messagesApplied, messagesStale, messagesMalformed, rowsApplied, rowsSkipped } = replica.stateCounts;
    const { messages_applied, messages_stale, messages_malformed, rows_applied, rows_skipped } = step.states;
    const counts = [messages_applied, messages_stale, messages_malformed, rows_applied, rows_skipped];
    assert.deepEqual([messagesApplied, messagesStale, messagesMalformed, rowsApplied, rowsSkipped], counts.map(Number), step.file);
  }
  const expected = Object.entries(step.rows).map(([row, entities]) => [
    row,
    Object.fromEntries(Object.entries(entities).map(([entity, value]) => [entity, rounded(row, value)])),
  ]);
  assert.deepEqual(rows, Object.fromEntries(expected), step.file);
}

function failCode(code: string): number {
  return ["UnknownReducer", "Forbidden", "BadArguments", "RateLimited", "Busy", "Internal", "Storage"].indexOf(code) + 1;
}

test("malformed bytes are refused with a ProtocolError", () => {
  const { description } = goldenJson<{ description: unknown }>("replica-kinds.json");
  const module = readDescription(JSON.stringify(description), NO_HASH);
  for (const { what, as, hex } of goldenJson<{ what: string; as: string; hex: string }[]>("malformed.json")) {
    if (as === "client") continue; // for servers to refuse
    const replica = new Replica(module, 40);
    if (as === "state") {
      // Nothing relies on a state: it is dropped, and counted.
      const frame = readMessage(goldenBytes("malformed-state.bin"));
      assert.ok(frame.kind === "frame");
      replica.apply(frame.reader);
      const state = readMessage(fromHex(hex));
      assert.ok(state.kind === "state", what);
      replica.applyState(state);
      assert.equal(replica.stateCounts.messagesMalformed, 1, what);
      continue;
    }
    assert.throws(() => {
      const message = readMessage(fromHex(hex));
      if (as === "server") return;
      assert.ok(message.kind === "frame");
      replica.apply(message.reader);
      readReplies(message.reader);
    }, ProtocolError, what);
  }
});

test("quantizers give the same bits", () => {
  interface Case {
    type: "f32" | "f64";
    wire: WireDef;
    values: (number | string)[];
    q: (number | string | null)[];
    back: (number | string | null)[];
  }
  for (const { type, wire, values, q, back } of goldenJson<Case[]>("quantizer.json")) {
    const quantizer = quantizerOf(wire);
    values.forEach((value, index) => {
      const multiple = quantizer && quantize(quantizer, fromFloat(value));
      const place = `${JSON.stringify(wire)} of ${value}`;
      assert.equal(multiple === undefined ? null : float(multiple), q[index] === null ? null : Number(q[index]), place);
      if (multiple === undefined || !quantizer) return assert.equal(back[index], null, place);
      const exact = dequantize(quantizer, multiple);
      assert.equal(float(type === "f32" ? Math.fround(exact) : exact), back[index], place);
    });
  }
});
