/** A connection to a server, with the replica it keeps up to date. */

import { encodeUtf8 } from "./bytes.ts";
import { Calls } from "./calls.ts";
import { TickClock } from "./clock.ts";
import { type CloseReason, ConnectionClosed, ProtocolError, SchemaMismatch } from "./errors.ts";
import { bye, hello, NO_SCHEMA, ping, PROTOCOL_VERSION, readMessage, readReplies, type FrameMessage, type Pong, type Welcome } from "./messages.ts";
import type { NoArguments, ReducerToken } from "./module.ts";
import { openBest, type Platform } from "./race.ts";
import { Replica } from "./replica.ts";
import { incompatibilities, type ModuleDef, readDescription } from "./schema.ts";
import { openSocket, platformWebSocket, type Socket, type SocketEvents, type Transport, type WebSocketConstructor } from "./socket.ts";
import { type ClientStats, Rate } from "./stats.ts";
import type { EntityId, Identity } from "./values.ts";
import { View } from "./view.ts";

/** How to connect. */
export interface ConnectOptions {
  /** `ws://host:port` or `wss://host:port`. */
  readonly url: string;
  /** The module of the generated bindings. Without one, the server's description is asked for. */
  readonly module?: ModuleDef;
  /** What proves who we are, at most 4096 bytes; text as UTF-8. Default: nothing. */
  readonly token?: string | Uint8Array;
  /**
   * Asks for every frame as soon as it is made, before the server's disk has what it tells: results of calls arrive
   * sooner by the time of a disk write. After a crash of the server's machine, some of what was seen may never have
   * happened. Default: `false`.
   */
  readonly unconfirmed?: boolean;
  /**
   * How to get there. `"best"` is WebTransport where the server offers it and the browser has it, and a WebSocket
   * otherwise, or when that is faster; then the connection takes up to a second longer where the server does not answer.
   * Default: `"best"`, but `"WebSocket"` with the option of that name.
   */
  readonly transport?: "best" | "WebSocket";
  /** The WebSocket to use. Default: the platform's. */
  readonly WebSocket?: WebSocketConstructor;
  /** How long the server may take to let us in, in milliseconds. Default: 10,000. */
  readonly timeoutMs?: number;
  /** The time between two pings, in milliseconds. Default: 1,000. */
  readonly pingMs?: number;
}

/**
 * Connects. The promise fails with {@link ConnectionClosed} when the server does not answer or turns us away,
 * {@link SchemaMismatch} when it runs another version of the module, {@link ProtocolError} when it speaks nonsense.
 */
export function connect(options: ConnectOptions): Promise<Client> {
  const { module, timeoutMs = 10_000 } = options;
  const token = typeof options.token === "string" ? encodeUtf8(options.token) : (options.token ?? new Uint8Array(0));
  const first = hello(module?.hash ?? NO_SCHEMA, options.unconfirmed ?? false, token);
  return new Promise((resolve, reject) => {
    let client: Client | undefined;
    const fail = (error: Error) => {
      clearTimeout(timer);
      reject(error);
      socket.close("");
    };
    const socket = open(options, {
      open: () => socket.send(first),
      message: (bytes) => {
        if (client) return client.receive(bytes);
        try {
          client = welcomed(options, socket, bytes);
          clearTimeout(timer);
          resolve(client);
        } catch (error) {
          fail(error as Error);
        }
      },
      text: () => (client ? client.fail(new ProtocolError("the server sent text")) : fail(new ProtocolError("the server sent text"))),
      close: (error) => (client ? client.lost(error) : fail(error)),
    });
    const timer = setTimeout(
      () => fail(new ConnectionClosed("Timeout", `the server at ${options.url} said nothing for ${timeoutMs} ms`)),
      timeoutMs,
    );
  });
}

function open(options: ConnectOptions, events: SocketEvents): Socket {
  const { WebTransport, fetch } = globalThis as Partial<Platform>;
  const WebSocket = options.WebSocket ?? platformWebSocket();
  const best = (options.transport ?? (options.WebSocket ? "WebSocket" : "best")) === "best";
  if (!best || !WebTransport || !fetch) return openSocket(options.url, WebSocket, events);
  return openBest(options.url, { WebSocket, WebTransport, fetch: (url, init) => fetch(url, init) }, events);
}

/** Reads the server's first message. */
function welcomed(options: ConnectOptions, socket: Socket, bytes: Uint8Array): Client {
  const message = readMessage(bytes);
  if (message.kind === "closed") throw new ConnectionClosed(message.reason, message.message);
  if (message.kind !== "welcome") throw new ProtocolError(`the server's first message is a ${message.kind}`);
  if (message.protocol !== PROTOCOL_VERSION) {
    throw new ConnectionClosed("Unsupported", `the server speaks protocol ${message.protocol}, this client ${PROTOCOL_VERSION}`);
  }
  return new Client(socket, message, schemaOf(message, options.module), options.pingMs ?? 1_000, bytes.length);
}

/** The module to read frames with: the server's own where it sent it, else ours, which it then knows. */
function schemaOf(welcome: Welcome, ours: ModuleDef | undefined): ModuleDef {
  if (welcome.description !== null) {
    const theirs = readDescription(welcome.description, welcome.schema);
    const problems = ours ? incompatibilities(ours, theirs) : [];
    if (problems.length > 0) throw new SchemaMismatch(problems);
    return theirs;
  }
  if (ours?.hash !== welcome.schema) throw new SchemaMismatch([`its schema is ${welcome.schema}, ours ${ours?.hash ?? "unknown"}`]);
  return ours;
}

/** Messages are joined until they have so many bytes; a single one may be longer. */
const MESSAGE_BYTES_MAX = 16 * 1024;

/** Messages one behind the other, in as few WebSocket messages as the bound allows. */
function* joined(messages: Uint8Array<ArrayBuffer>[]): Generator<Uint8Array<ArrayBuffer>> {
  for (let from = 0; from < messages.length; ) {
    let length = messages[from]!.length;
    let to = from + 1;
    while (to < messages.length && length + messages[to]!.length <= MESSAGE_BYTES_MAX) length += messages[to++]!.length;
    if (to === from + 1) yield messages[from]!;
    else {
      const bytes = new Uint8Array(length);
      for (let at = 0; from < to; from++) {
        bytes.set(messages[from]!, at);
        at += messages[from]!.length;
      }
      yield bytes;
    }
    from = to;
  }
}

/** An open connection. What it sees is read through {@link View}. */
export class Client extends View {
  /** Who the server takes us for. */
  readonly identity: Identity;
  /** The session's number. */
  readonly session: bigint;
  /** The length of a tick, in milliseconds. */
  readonly tickMs: number;
  /** Settled once the connection is over, with why. Never fails. */
  readonly closed: Promise<ConnectionClosed>;
  private readonly socket: Socket;
  private readonly store: Replica;
  private readonly calls: Calls;
  private readonly clock: TickClock;
  private readonly pings: ReturnType<typeof setInterval>;
  private readonly bytesIn: Rate;
  private readonly bytesOut: Rate;
  private readonly frameRate: Rate;
  private readonly player: number;
  /** What this turn has to send. */
  private readonly outgoing: Uint8Array<ArrayBuffer>[] = [];
  private over: ConnectionClosed | undefined;
  private settleClosed: (error: ConnectionClosed) => void = () => {};
  private lastTime = 0;
  private rttMs = NaN;
  private tickCostMs = NaN;

  /** @internal Use {@link connect}. */
  constructor(socket: Socket, welcome: Welcome, module: ModuleDef, pingMs: number, bytes: number) {
    const store = new Replica(module);
    super(store);
    const now = performance.now();
    this.socket = socket;
    this.store = store;
    this.identity = welcome.identity;
    this.session = welcome.session;
    this.tickMs = welcome.tickLength / 1000;
    this.lastTime = welcome.time;
    this.calls = new Calls(module);
    this.clock = new TickClock(this.tickMs);
    this.clock.observe(welcome.tick, now);
    this.bytesIn = new Rate(now);
    this.bytesOut = new Rate(now);
    this.frameRate = new Rate(now);
    this.bytesIn.add(bytes, now);
    this.player = module.rows.findIndex((row) => row?.name === "evertick.Player");
    this.closed = new Promise((resolve) => (this.settleClosed = resolve));
    this.pings = setInterval(() => this.ping(), pingMs);
    (this.pings as { unref?: () => void }).unref?.();
    this.ping();
  }

  /**
   * Calls a reducer. The promise is settled in the frame that shows the call's effects, after they are there. It
   * fails with {@link CallRefused} when the reducer says no, {@link CallFailed} when it could not be run,
   * {@link ConnectionClosed} when the answer can't come any more; arguments of the wrong type are a `TypeError`.
   */
  call<A extends object, O, R>(
    reducer: ReducerToken<A, O, R>,
    ...args: NoArguments extends A ? [] : [args: A]
  ): Promise<O> {
    if (this.over) return Promise.reject(this.over);
    return this.calls.send(reducer.reducer, args[0] ?? {}, (message) => this.send(message)) as Promise<O>;
  }

  /** The entity that is our player, if the module tells players who they are (`evertick.Player`). */
  playerEntity(): EntityId | undefined {
    const table = this.store.tables[this.player];
    if (!table) return undefined;
    for (let row = 0; row < table.count; row++) {
      if (table.object(row).identity === this.identity) return this.store.entities.id(table.locals[row]!);
    }
    return undefined;
  }

  /** What the connection runs over. */
  get transport(): Transport {
    return this.socket.transport;
  }

  /** The world's time in the newest frame, in microseconds since the Unix epoch. */
  get time(): number {
    return this.lastTime;
  }

  /** The tick to draw, with fraction; see {@link TickClock.renderTick}. Call it once per picture. */
  renderTick(now = performance.now(), delayTicks?: number): number {
    return this.clock.renderTick(now, delayTicks);
  }

  /** Numbers about the connection, as of now. */
  stats(): ClientStats {
    const now = performance.now();
    return {
      rttMs: this.rttMs,
      tickCostMs: this.tickCostMs,
      tickMs: this.tickMs,
      tick: this.clock.tick,
      bytesInPerSecond: this.bytesIn.perSecond(now),
      bytesOutPerSecond: this.bytesOut.perSecond(now),
      framesPerSecond: this.frameRate.perSecond(now),
      bytesIn: this.bytesIn.total,
      bytesOut: this.bytesOut.total,
      framesIn: this.frameRate.total,
      entities: this.store.entities.count,
      rows: this.store.rowCount,
      topics: this.store.topics.size,
      pendingCalls: this.calls.waiting,
    };
  }

  /** Leaves. Calls that wait for an answer fail; what is seen stays readable, and changes no more. */
  close(): void {
    if (this.over) return;
    this.send(bye());
    this.end(new ConnectionClosed("Left", "this client has left"));
  }

  /** @internal */
  receive(bytes: Uint8Array): void {
    if (this.over) return;
    const now = performance.now();
    this.bytesIn.add(bytes.length, now);
    try {
      const message = readMessage(bytes);
      if (message.kind === "frame") this.frame(message, now);
      else if (message.kind === "pong") this.pong(message, now);
      else if (message.kind === "closed") this.end(new ConnectionClosed(message.reason, message.message));
      else throw new ProtocolError("a second welcome");
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.fail(error);
    }
  }

  /** What the server said can't be understood: nothing can be relied on any more. @internal */
  fail(error: ProtocolError): void {
    this.end(new ConnectionClosed("Protocol", error.message));
  }

  /** @internal */
  lost(error: ConnectionClosed): void {
    this.end(error);
  }

  private frame({ reader }: FrameMessage, now: number): void {
    const applied = this.store.apply(reader);
    const replies = readReplies(reader);
    this.frameRate.add(1, now);
    this.clock.observe(applied.tick, now);
    this.lastTime = applied.time;
    this.announce(applied);
    for (const reply of replies) this.calls.settle(reply);
  }

  private pong(pong: Pong, now: number): void {
    const rtt = now - Number(pong.clientTime) / 1000;
    if (!(rtt >= 0 && rtt < 600_000)) throw new ProtocolError("a pong to a ping that was not sent");
    this.rttMs = Number.isNaN(this.rttMs) ? rtt : this.rttMs + (rtt - this.rttMs) / 4;
    this.tickCostMs = pong.tickCost / 1000;
  }

  private ping(): void {
    this.send(ping(BigInt(Math.floor(performance.now() * 1000))));
  }

  /** What is sent in one turn goes as one message: a server takes it in at once. */
  private send(message: Uint8Array<ArrayBuffer>): void {
    if (this.over) return;
    if (this.outgoing.push(message) === 1) queueMicrotask(() => this.flush());
  }

  private flush(): void {
    const messages = this.outgoing.splice(0);
    if (!this.socket.open) return;
    for (const message of joined(messages)) {
      this.bytesOut.add(message.length, performance.now());
      this.socket.send(message);
    }
  }

  private end(error: ConnectionClosed): void {
    if (this.over) return;
    this.flush();
    this.over = error;
    clearInterval(this.pings);
    this.calls.abandon(error);
    this.socket.close(error.reason satisfies CloseReason);
    this.settleClosed(error);
  }
}
