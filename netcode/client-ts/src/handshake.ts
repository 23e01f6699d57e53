/** One attempt to reach a server and to be let in. */

import { encodeUtf8 } from "./bytes.ts";
import { ConnectionClosed, ProtocolError, SchemaMismatch } from "./errors.ts";
import { readMessage, type Welcome } from "./messages.ts";
import type { ConnectOptions } from "./options.ts";
import { openBest, type Platform } from "./race.ts";
import { hello, PROTOCOL_VERSION, type Resume } from "./requests.ts";
import { incompatibilities, type ModuleDef, readDescription } from "./schema.ts";
import { simulate, type SimulatedSocket } from "./simulator.ts";
import { type Lane, openSocket, platformWebSocket, type Socket, type SocketEvents } from "./socket.ts";

/** Who takes what comes once we are in. */
export interface Receiver {
  message(bytes: Uint8Array, lane: Lane): void;
  /** The connection is over, by the network's doing or by the server's nonsense. */
  over(error: ConnectionClosed): void;
}

/** What comes of an attempt; one of the two is called, once. */
export interface Outcome {
  /** We are in. What comes from now on goes to the result. An error that is thrown here is the attempt's failure. */
  welcomed(socket: SimulatedSocket, welcome: Welcome, bytes: number): Receiver;
  failed(error: Error): void;
}

/** How to end an attempt of which nothing is to come any more. */
export type Abandon = () => void;

/** What to say first; with `resume` to go on with a session. */
export function helloOf({ token, unconfirmed = false }: ConnectOptions, schema: string, resume: Resume | undefined): Uint8Array<ArrayBuffer> {
  const bytes = typeof token === "string" ? encodeUtf8(token) : (token ?? new Uint8Array(0));
  return hello({ schema, unconfirmed, token: bytes, ...(resume && { resume }) });
}

/** Tries to reach the server, and says `hello`. */
export function attempt(options: ConnectOptions, hello: Uint8Array<ArrayBuffer>, conditions: ConnectOptions["conditions"], outcome: Outcome): Abandon {
  const { timeoutMs = 10_000, url } = options;
  let receiver: Receiver | undefined;
  let settled = false;
  const fail = (error: Error) => {
    if (settled) return;
    abandon();
    outcome.failed(error);
  };
  const abandon = () => {
    settled = true;
    clearTimeout(timer);
    socket.drop();
  };
  const socket = simulate((events) => open(options, events), conditions ?? null, {
    open: () => socket.send(hello),
    message: (bytes, lane) => {
      if (receiver) return receiver.message(bytes, lane);
      if (settled) return;
      try {
        receiver = outcome.welcomed(socket, welcome(bytes), bytes.length);
        settled = true;
        clearTimeout(timer);
      } catch (error) {
        fail(error as Error);
      }
    },
    text: () => {
      const error = new ProtocolError("the server sent text");
      if (receiver) receiver.over(new ConnectionClosed("Protocol", error.message));
      else fail(error);
    },
    close: (error) => (receiver ? receiver.over(error) : fail(error)),
  });
  const timer = setTimeout(
    () => fail(new ConnectionClosed("Timeout", `the server at ${url} said nothing for ${timeoutMs} ms`)),
    timeoutMs,
  );
  return abandon;
}

function open(options: ConnectOptions, events: SocketEvents): Socket {
  const { WebTransport, fetch } = globalThis as Partial<Platform>;
  const WebSocket = options.WebSocket ?? platformWebSocket();
  const best = (options.transport ?? (options.WebSocket ? "WebSocket" : "best")) === "best";
  if (!best || !WebTransport || !fetch) return openSocket(options.url, WebSocket, events);
  return openBest(options.url, { WebSocket, WebTransport, fetch: (url, init) => fetch(url, init) }, events);
}

/** Reads the server's first message. */
function welcome(bytes: Uint8Array): Welcome {
  const message = readMessage(bytes);
  if (message.kind === "closed") throw new ConnectionClosed(message.reason, message.message);
  if (message.kind !== "welcome") throw new ProtocolError(`the server's first message is a ${message.kind}`);
  if (message.protocol !== PROTOCOL_VERSION) {
    throw new ConnectionClosed("Unsupported", `the server speaks protocol ${message.protocol}, this client ${PROTOCOL_VERSION}`);
  }
  return message;
}

/** The module to read frames with: the server's own where it sent it, else ours, which it then knows. */
export function schemaOf(welcome: Welcome, ours: ModuleDef | undefined): ModuleDef {
  if (welcome.description !== null) {
    const theirs = readDescription(welcome.description, welcome.schema);
    const problems = ours ? incompatibilities(ours, theirs) : [];
    if (problems.length > 0) throw new SchemaMismatch(problems);
    return theirs;
  }
  if (ours?.hash !== welcome.schema) throw new SchemaMismatch([`its schema is ${welcome.schema}, ours ${ours?.hash ?? "unknown"}`]);
  return ours;
}
