/** Numbers about a connection. */

import type { Lane } from "./socket.ts";

/** What {@link Client.stats} tells. */
export interface ClientStats extends QualityStats {
  /** The length of a tick, in milliseconds. */
  readonly tickMs: number;
  /** The newest tick that was heard of. */
  readonly tick: number;
  /** How much later than the fastest frames others arrive, in milliseconds: a bound that falls slowly. */
  readonly jitterMs: number;
  /** How many ticks before what was heard last inputs go, and by how much they were early, at least, in milliseconds; `NaN` before the first. */
  readonly inputLeadTicks: number;
  readonly inputSlackMs: number;
  /** What the replica holds. */
  readonly entities: number;
  readonly rows: number;
  readonly topics: number;
  /** Calls without an answer yet. */
  readonly pendingCalls: number;
}

/** Numbers about the way to the server. */
export interface QualityStats {
  /** From a ping to its pong, in milliseconds, smoothed; `NaN` before the first. */
  readonly rttMs: number;
  /** What the server's last tick took, in milliseconds; `NaN` before the first pong. */
  readonly tickCostMs: number;
  /** How old the newest applied data was over the last seconds, in milliseconds: the median over time, and the 99th percentile. */
  readonly stalenessP50Ms: number;
  readonly stalenessP99Ms: number;
  /** Bytes per second of message content, in and out, over the last two seconds. */
  readonly bytesInPerSecond: number;
  readonly bytesOutPerSecond: number;
  /** Messages with frames or states per second, over the last two seconds. */
  readonly framesPerSecond: number;
  /** Everything since the client connected, over all its connections. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly framesIn: number;
  /** Bytes that came, by lane. A WebSocket has one for all. */
  readonly bytesByLane: { readonly [L in Lane]: number };
  /** States that came by the latest lane; those that were too old or damaged, and not used. */
  readonly statesIn: number;
  readonly statesUnused: number;
  /** The share of states that are lost on the way, as far as it can be told, from 0 to 1, over the last seconds. */
  readonly loss: number;
  /** How often the session was resumed. */
  readonly resumes: number;
}

const BUCKET_MS = 250;
const BUCKETS = 8;

/** A rate over the last two seconds. */
export class Rate {
  /** All of it. */
  total = 0;
  private readonly buckets = new Float64Array(BUCKETS);
  private newest = 0;
  private readonly start: number;

  /** Starts at `now`, in milliseconds. */
  constructor(now: number) {
    this.start = now;
    this.newest = Math.floor(now / BUCKET_MS);
  }

  /** Adds `amount` at `now`. */
  add(amount: number, now: number): void {
    this.advance(now);
    this.total += amount;
    this.buckets[this.newest % BUCKETS]! += amount;
  }

  /** The amount per second at `now`. */
  perSecond(now: number): number {
    this.advance(now);
    const sum = this.buckets.reduce((total, amount) => total + amount, 0);
    const spanMs = Math.min((BUCKETS - 1) * BUCKET_MS + (now % BUCKET_MS), now - this.start);
    return spanMs > 0 ? (sum * 1000) / spanMs : 0;
  }

  private advance(now: number): void {
    const bucket = Math.floor(now / BUCKET_MS);
    for (let passed = Math.min(bucket - this.newest, BUCKETS); passed > 0; passed--) {
      this.buckets[(bucket - passed + 1) % BUCKETS] = 0;
    }
    this.newest = Math.max(bucket, this.newest);
  }
}
