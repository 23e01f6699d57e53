/** A session with a server, over as many connections as it takes, with the replica it keeps up to date. */

import type { Reader } from "./bytes.ts";
import { Calls } from "./calls.ts";
import { TickClock } from "./clock.ts";
import type { Conditions } from "./conditions.ts";
import { ConnectionClosed, ProtocolError } from "./errors.ts";
import { type Abandon, attempt, helloOf, type Receiver } from "./handshake.ts";
import { Listeners, type Unsubscribe } from "./listeners.ts";
import { Foresight } from "./foresight.ts";
import { Inputs } from "./inputs.ts";
import { InputLead } from "./lead.ts";
import { type Pong, readMessage, type State, type Welcome } from "./messages.ts";
import type { ComponentToken, InputToken, NoArguments, PredictionToken, ReducerToken } from "./module.ts";
import type { ConnectOptions } from "./options.ts";
import { Outbox } from "./outbox.ts";
import type { Predicted, PredictionOptions, StepFunction } from "./prediction.ts";
import { Quality } from "./quality.ts";
import { Queries, type Query } from "./queries.ts";
import { Retries } from "./reconnect.ts";
import { readReplies } from "./replies.ts";
import { type Applied, Replica } from "./replica.ts";
import { bye, ping, report } from "./requests.ts";
import type { ModuleDef } from "./schema.ts";
import type { Select } from "./select.ts";
import type { SimulatedSocket } from "./simulator.ts";
import type { Lane, Transport } from "./socket.ts";
import type { ClientStats } from "./stats.ts";
import { writeTicket } from "./ticket.ts";
import type { EntityId, Identity } from "./values.ts";
import { View } from "./view.ts";

/** How a client stands: `"Reconnecting"` means that the connection was lost and what is seen stands still. */
export type ConnectionState = "Connected" | "Reconnecting" | "Closed";

/** A server that says nothing for so long, in milliseconds and at least three pings, is lost. */
const SILENCE_MS = 8_000;

/** The time between two reports, in milliseconds. */
const REPORT_MS = 2_000;

/** How far states may be from the newest frame, in milliseconds. */
const STATE_AGE_MS = 2_000;

/** A session. What it sees is read through {@link View}. */
export class Client extends View {
  /** Who the server takes us for. */
  readonly identity: Identity;
  /** The length of a tick, in milliseconds. */
  readonly tickMs: number;
  /** Whether the session goes on from a ticket, so that the module has known us all the while. */
  readonly resumed: boolean;
  /** Settled once the client is over, with why. Never fails. */
  readonly closed: Promise<ConnectionClosed>;
  private readonly options: ConnectOptions;
  private readonly store: Replica;
  private readonly calls: Calls;
  private readonly outbox = new Outbox((message) => this.transmit(message));
  private readonly pings: ReturnType<typeof setInterval>;
  private readonly states = new Listeners<[ConnectionState]>();
  private readonly player: number;
  private readonly quality: Quality;
  private readonly queries = new Queries((message) => this.send(message));
  private readonly inputs: Inputs;
  private readonly foresight: Foresight;
  private readonly lead: InputLead;
  private clock: TickClock;
  private socket: SimulatedSocket;
  private conditions: Conditions | null;
  private welcome: Welcome;
  private connected = true;
  private over: ConnectionClosed | undefined;
  private settleClosed: (error: ConnectionClosed) => void = () => {};
  private abandon: Abandon = () => {};
  private retry: ReturnType<typeof setTimeout> | undefined;
  private lastTime = 0;
  private lastFrame = 0;
  private nextReport = 0;
  /** Pings since the server last said something. */
  private unanswered = 0;

  /** @internal Use {@link connect}. */
  constructor(options: ConnectOptions, module: ModuleDef, socket: SimulatedSocket, welcome: Welcome, bytes: number, results: number) {
    const tickMs = welcome.tickLength / 1000;
    const store = new Replica(module, STATE_AGE_MS / Math.max(tickMs, 1));
    super(store);
    this.options = options;
    this.socket = socket;
    this.store = store;
    this.welcome = welcome;
    this.identity = welcome.identity;
    this.resumed = welcome.resumed;
    this.tickMs = tickMs;
    this.lastTime = welcome.time;
    this.conditions = options.conditions ?? null;
    this.calls = new Calls(module);
    this.calls.start(welcome.calls, welcome.resumed ? results : 0);
    this.clock = new TickClock(tickMs);
    const now = performance.now();
    this.clock.observe(welcome.tick, now);
    this.quality = new Quality(now, tickMs);
    this.quality.received("Control", bytes, now);
    this.lead = new InputLead(tickMs);
    this.foresight = new Foresight(store, tickMs / 1000, (at) => this.inputTick(at));
    this.inputs = new Inputs(module, tickMs, {
      send: (message) => this.send(message),
      sendLatest: (message) => this.sendLatest(message),
      inputTick: (at) => this.inputTick(at),
      given: (tick, reducer, args) => this.foresight.input(tick, reducer, args),
    });
    this.player = module.rows.findIndex((row) => row?.name === "evertick.Player");
    this.closed = new Promise((resolve) => (this.settleClosed = resolve));
    this.pings = setInterval(() => this.beat(), options.pingMs ?? 1_000);
    (this.pings as { unref?: () => void }).unref?.();
    this.beat();
  }

  /**
   * Calls a reducer. The promise is settled in the frame that shows the call's effects, after they are there. It
   * fails with {@link CallRefused} when the reducer says no, {@link CallFailed} when it could not be run,
   * {@link ConnectionClosed} when the answer can't come any more; arguments of the wrong type are a `TypeError`.
   * While the connection is lost a call waits; it is carried out once, however often that happens.
   */
  call<A extends object, O, R>(
    reducer: ReducerToken<A, O, R>,
    ...args: NoArguments extends A ? [] : [args: A]
  ): Promise<O> {
    if (this.over) return Promise.reject(this.over);
    return this.calls.send(reducer.reducer, args[0] ?? {}, (message) => this.send(message)) as Promise<O>;
  }

  /**
   * Asks for rows that are sent on demand: `SELECT * FROM Ore WHERE richness > 3`, or by {@link select}. Settled when they are in the replica, where they
   * stay up to date; fails with {@link QueryRefused}. A new session asks for them again.
   */
  async subscribe(query: string | Select): Promise<Query> {
    if (this.over) throw this.over;
    return this.queries.subscribe(typeof query === "string" ? query : query.text(this.store.module));
  }

  /** How the server would match a query. */
  async explain(query: string | Select): Promise<string> {
    if (this.over) throw this.over;
    return this.queries.explain(typeof query === "string" ? query : query.text(this.store.module));
  }

  /**
   * Does what an input says in a tick that is yet to be made, soon enough for the input to be there. One input of a kind goes
   * to each tick: of more, the newest counts. Returns the tick, or `null` while the connection is lost: inputs don't wait for it.
   */
  input<A extends object>(input: InputToken<A>, ...args: NoArguments extends A ? [] : [args: A]): number | null {
    if (this.state !== "Connected") return null;
    return this.inputs.add(input.reducer, (args[0] ?? {}) as Readonly<Record<string, unknown>>, performance.now());
  }

  /**
   * Shows what our inputs do to a row of an entity before the server has told of it. `what` is the module's prediction,
   * or a component and the input that changes it; `step` is what one input does, from {@link loadPredictions} or written anew.
   */
  predict<T, A>(
    what: PredictionToken<T, A> | { readonly component: ComponentToken<T>; readonly input: InputToken<A> },
    entity: EntityId,
    step: StepFunction<T, A>,
    options: PredictionOptions = {},
  ): Predicted<T> {
    return this.foresight.add(what, entity, step, options, this.clock.tick);
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

  /** The session's number; another one after a reconnection that could not resume it. */
  get session(): bigint {
    return this.welcome.session;
  }

  /** How the client stands. */
  get state(): ConnectionState {
    return this.over ? "Closed" : this.connected ? "Connected" : "Reconnecting";
  }

  /** Calls `listener` whenever {@link state} changes. */
  onState(listener: (state: ConnectionState) => void): Unsubscribe {
    return this.states.add(listener);
  }

  /** What resumes this session from elsewhere ({@link ConnectOptions.tickets}); a secret. */
  ticket(): string {
    const { session, secret } = this.welcome;
    return writeTicket({ session, secret, results: this.calls.results });
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

  /** Makes the network worse than it is from now on, or `null`: as it is. For development. */
  simulate(conditions: Conditions | null): void {
    this.conditions = conditions;
    this.socket.setConditions(conditions);
  }

  /** Drops the connection as if the network had, for tests and development. */
  dropConnection(): void {
    if (!this.over && this.connected) this.lost(new ConnectionClosed("Lost", "the connection was dropped"));
  }

  /** Numbers about the connection, as of now. */
  stats(): ClientStats {
    const { clock, quality, store } = this;
    const now = performance.now();
    return {
      ...quality.numbers(now),
      tickMs: this.tickMs,
      tick: clock.tick,
      jitterMs: clock.jitterMs,
      inputLeadTicks: this.lead.ticks,
      inputSlackMs: this.lead.slackMs,
      entities: store.entities.count,
      rows: store.rowCount,
      topics: store.topics.size,
      pendingCalls: this.calls.waiting,
    };
  }

  /** Leaves. Calls that wait for an answer fail; what is seen stays readable, and changes no more. */
  close(): void {
    if (this.over) return;
    this.send(bye());
    this.end(new ConnectionClosed("Left", "this client has left"));
  }

  /** Who takes what comes by the present connection. @internal */
  receiver(): Receiver {
    const { socket } = this;
    const present = () => !this.over && this.connected && this.socket === socket;
    return {
      message: (bytes, lane) => present() && this.receive(bytes, lane),
      over: (error) => present() && this.lost(error),
    };
  }

  private receive(bytes: Uint8Array, lane: Lane): void {
    const now = performance.now();
    this.unanswered = 0;
    this.quality.received(lane, bytes.length, now);
    try {
      const message = readMessage(bytes);
      if (lane === "Latest" && message.kind !== "state") throw new ProtocolError(`a ${message.kind} that may be lost`);
      if (message.kind === "frame") this.frame(message.reader, now);
      else if (message.kind === "state") this.latest(message, now);
      else if (message.kind === "pong") this.pong(message, now);
      else if (message.kind === "closed") this.lost(new ConnectionClosed(message.reason, message.message));
      else throw new ProtocolError("a second welcome");
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (lane === "Latest") this.quality.unusable(); // nothing relies on it
      else this.end(new ConnectionClosed("Protocol", error.message));
    }
  }

  private frame(reader: Reader, now: number): void {
    const applied = this.store.apply(reader);
    const replies = readReplies(reader);
    this.lastTime = applied.time;
    this.heard(applied, now);
    this.announce(applied);
    this.foresight.follow(applied.tick);
    for (const reply of replies.results) this.calls.settle(reply);
    for (const reply of replies.queries) this.queries.reply(reply);
  }

  private latest(message: State, now: number): void {
    const { messagesMalformed } = this.store.stateCounts;
    const applied = this.store.applyState(message);
    if (!applied || this.store.stateCounts.messagesMalformed > messagesMalformed) this.quality.unusable();
    else this.quality.state(applied.tick);
    if (!applied) return;
    this.heard(applied, now);
    if (applied.changes.length > 0) this.announce(applied);
    this.foresight.follow(applied.tick);
  }

  private heard({ number, tick }: Applied, now: number): void {
    if (number > this.lastFrame) this.lastFrame = number;
    this.clock.observe(tick, now);
    this.quality.applied(tick, this.clock.serverTick(now), now);
  }

  private pong(pong: Pong, now: number): void {
    const rtt = now - Number(pong.clientTime) / 1000;
    if (!(rtt >= 0 && rtt < 600_000)) throw new ProtocolError("a pong to a ping that was not sent");
    this.quality.pong(rtt, pong.tickCost / 1000);
    this.lead.roundTrip(rtt);
    if (pong.slack !== null) this.lead.report(pong.slack);
  }

  /** Which tick an input of `now` is for, with fraction. */
  private inputTick(now: number): number {
    return this.clock.serverTick(now) + this.lead.ticks;
  }

  /** What is due every now and then: pings, reports, and a look whether the server is still there. */
  private beat(): void {
    if (!this.connected) return;
    const { pingMs = 1_000, tickets } = this.options;
    if (++this.unanswered > Math.max(3, SILENCE_MS / pingMs)) {
      return this.lost(new ConnectionClosed("Lost", "the server has fallen silent"));
    }
    const now = performance.now();
    tickets?.save(this.ticket()); // before the server is told that it may forget what the ticket counts
    this.send(ping(BigInt(Math.floor(now * 1000)), this.calls.results));
    if (now < this.nextReport) return;
    this.nextReport = now + REPORT_MS;
    this.send(report(this.quality.report(this.lastFrame, this.clock.jitterMs)));
  }

  /** Sends a message at the end of this turn; `false` when the connection is lost, and the message with it. */
  private send(message: Uint8Array<ArrayBuffer>): boolean {
    if (!this.connected || this.over) return false;
    this.outbox.push(message);
    return true;
  }

  private sendLatest(message: Uint8Array<ArrayBuffer>): boolean {
    if (!this.socket.sendLatest(message)) return false;
    this.quality.sent(message.length, performance.now());
    return true;
  }

  private transmit(message: Uint8Array<ArrayBuffer>): void {
    if (!this.socket.open) return;
    this.quality.sent(message.length, performance.now());
    this.socket.send(message);
  }

  /** The connection is over; the session perhaps not. */
  private lost(error: ConnectionClosed): void {
    const { reconnect = {} } = this.options;
    if (reconnect === false) return this.end(error);
    const anew = error.reason === "Shutdown" && reconnect.newSession === true;
    if (error.reason !== "Lost" && !anew) return this.end(error);
    this.connected = false;
    this.outbox.clear();
    this.socket.drop();
    this.states.emit("Reconnecting");
    if (!this.over) this.comeBack(new Retries(reconnect, performance.now()), error, !anew);
  }

  /** Tries to go on with the session, or with a new one. `error` is why the last attempt failed. */
  private comeBack(retries: Retries, error: ConnectionClosed, resume: boolean): void {
    const { newSession = false } = this.options.reconnect || {};
    const resumes = resume && retries.resumable(performance.now());
    if (!resumes && !newSession) return this.end(error);
    const { session, secret } = this.welcome;
    const first = helloOf(this.options, this.store.module.hash, resumes ? { session, secret, results: this.calls.results } : undefined);
    const again = (failed: Error) => {
      if (this.over) return;
      if (!(failed instanceof ConnectionClosed)) return this.end(new ConnectionClosed("Unsupported", failed.message));
      if (failed.reason === "Expired" && resumes) this.comeBack(retries, failed, false);
      else if (failed.reason === "Lost" || failed.reason === "Timeout" || failed.reason === "Shutdown") this.comeBack(retries, failed, resumes);
      else this.end(failed);
    };
    this.retry = setTimeout(() => {
      this.abandon = attempt(this.options, first, this.conditions, {
        welcomed: (socket, welcome, bytes) => this.back(socket, welcome, bytes),
        failed: again,
      });
    }, retries.delay());
  }

  /** The server has let us in again. */
  private back(socket: SimulatedSocket, welcome: Welcome, bytes: number): Receiver {
    if (welcome.schema !== this.store.module.hash) {
      throw new ConnectionClosed("Unsupported", "the server runs another version of the module now: connect anew");
    }
    const now = performance.now();
    if (!welcome.resumed) {
      this.calls.restart(new ConnectionClosed("Lost", "the session is over, and a new one has begun: whether the call was carried out is not known"));
      this.store.reset();
      this.inputs.clear();
      this.foresight.clear();
      this.clock = new TickClock(this.tickMs);
      this.lastFrame = 0;
    }
    this.abandon = () => {};
    this.welcome = welcome;
    this.socket = socket;
    this.socket.setConditions(this.conditions);
    this.calls.start(welcome.calls, this.calls.results);
    this.clock.observe(welcome.tick, now);
    this.connected = true;
    this.unanswered = 0;
    this.quality.reconnected(welcome.resumed);
    this.quality.received("Control", bytes, now);
    for (const message of this.calls.after(welcome.calls)) this.send(message);
    if (welcome.resumed) this.queries.resume();
    else this.queries.restart();
    this.beat();
    this.states.emit("Connected");
    return this.receiver();
  }

  private end(error: ConnectionClosed): void {
    if (this.over) return;
    if (this.connected) this.outbox.flush();
    this.over = error;
    clearInterval(this.pings);
    clearTimeout(this.retry);
    this.abandon();
    this.calls.abandon(error);
    this.queries.abandon(error);
    this.inputs.clear();
    this.options.tickets?.save(null);
    this.socket.close(error.reason);
    this.settleClosed(error);
    this.states.emit("Closed");
  }
}
