/** A {@link Socket} around a socket, whose messages meet simulated {@link Conditions} on their way. */

import { type Conditions, Path } from "./conditions.ts";
import { ConnectionClosed } from "./errors.ts";
import type { Lane, Socket, SocketEvents, Transport } from "./socket.ts";

/** Messages that may be under way, in both directions; with more the connection counts as lost. */
const UNDER_WAY_MAX = 16_384;

interface UnderWay {
  readonly direction: "in" | "out";
  readonly arrival: number;
  deliver(): void;
}

/** Opens a socket by `open`, behind a network with `conditions`; `null` is the network as it is. */
export function simulate(open: (events: SocketEvents) => Socket, conditions: Conditions | null, events: SocketEvents): SimulatedSocket {
  return new SimulatedSocket(open, conditions, events);
}

/** A socket whose network can be made worse while it is open. */
export class SimulatedSocket implements Socket {
  private readonly inner: Socket;
  private readonly events: SocketEvents;
  private paths: { readonly out: Path; readonly in: Path } | null = null;
  /** By arrival; what arrives together in the order of sending. */
  private readonly underWay: UnderWay[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private over = false;

  constructor(open: (events: SocketEvents) => Socket, conditions: Conditions | null, events: SocketEvents) {
    this.events = events;
    this.setConditions(conditions);
    this.inner = open({
      open: () => events.open(),
      message: (bytes, lane) => this.pass("in", lane, () => events.message(bytes, lane)),
      text: () => events.text(),
      close: (error) => this.pass("in", "End", () => this.end(error)),
    });
  }

  get transport(): Transport {
    return this.inner.transport;
  }

  get open(): boolean {
    return this.inner.open && !this.over;
  }

  /** Changes the network, for what is sent from now on. */
  setConditions(conditions: Conditions | null): void {
    const behind = this.underWay.at(-1)?.arrival;
    this.paths = conditions && { out: new Path(conditions, 0, behind), in: new Path(conditions, 1, behind) };
  }

  send(message: Uint8Array<ArrayBuffer>): void {
    this.pass("out", "World", () => {
      if (this.inner.open) this.inner.send(message);
    });
  }

  sendLatest(message: Uint8Array<ArrayBuffer>): boolean {
    if (!this.paths) return this.inner.sendLatest(message);
    if (this.inner.transport !== "WebTransport") return false;
    this.pass("out", "Latest", () => this.inner.sendLatest(message));
    return true;
  }

  close(reason: string): void {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.timer);
    // What was sent before the end is sent.
    for (const { direction, deliver } of this.underWay.splice(0)) if (direction === "out") deliver();
    this.inner.close(reason);
  }

  drop(): void {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.timer);
    this.inner.drop();
  }

  private pass(direction: "in" | "out", lane: Lane | "End", deliver: () => void): void {
    if (this.over) return;
    if (!this.paths && this.underWay.length === 0) return deliver();
    const now = performance.now();
    for (const arrival of this.arrivals(direction, lane, now)) this.insert({ direction, arrival, deliver });
    if (this.underWay.length > UNDER_WAY_MAX) return this.end(new ConnectionClosed("Lost", "too much is under way in the simulated network"));
    this.schedule(now);
  }

  private arrivals(direction: "in" | "out", lane: Lane | "End", now: number): readonly number[] {
    const path = this.paths?.[direction];
    if (path) return lane === "End" ? [path.end(now)] : path.arrive(lane, now);
    // The network is as it is again, but what it held up must not be overtaken.
    return [Math.max(now, this.underWay.at(-1)!.arrival)];
  }

  private insert(message: UnderWay): void {
    let at = this.underWay.length;
    while (at > 0 && this.underWay[at - 1]!.arrival > message.arrival) at--;
    this.underWay.splice(at, 0, message);
  }

  private schedule(now: number): void {
    clearTimeout(this.timer);
    const [next] = this.underWay;
    if (next) this.timer = setTimeout(() => this.arrived(), Math.max(0, next.arrival - now));
  }

  private arrived(): void {
    for (const { deliver } of this.take(performance.now())) {
      if (this.over) return;
      deliver();
    }
    if (!this.over) this.schedule(performance.now());
  }

  private take(until: number): UnderWay[] {
    const later = this.underWay.findIndex(({ arrival }) => arrival > until);
    return this.underWay.splice(0, later < 0 ? this.underWay.length : later);
  }

  private end(error: ConnectionClosed): void {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.timer);
    this.underWay.length = 0;
    this.inner.drop();
    this.events.close(error);
  }
}
