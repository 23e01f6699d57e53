/** Measures the way to the server: round trips, bytes by lane, loss, and how old what is shown is. */

import type { Report } from "./requests.ts";
import type { Lane } from "./socket.ts";
import { type QualityStats, Rate } from "./stats.ts";

/** Ages that are remembered. */
const AGES = 256;

/** Ticks of which it is remembered whether a state came; a power of two. */
const TICKS = 256;

/** A state may come so many ticks late before it counts as lost. */
const LATE_TICKS = 4;

/** After so many beats without a state nothing was lost: nothing moved. */
const BEATS_MAX = 8;

/** What is known of a connection's quality. */
export class Quality {
  private readonly tickMs: number;
  private readonly bytesIn: Rate;
  private readonly bytesOut: Rate;
  private readonly frames: Rate;
  private readonly byLane: Record<Lane, number> = { Control: 0, World: 0, Latest: 0 };
  private readonly ages = new Float64Array(AGES);
  private agesCount = 0;
  private agesReported = 0;
  private newest = -1;
  private readonly states = new Losses();
  private statesIn = 0;
  private unused = 0;
  private statesReported = 0;
  private rttMs = NaN;
  private tickCostMs = NaN;
  private resumes = 0;

  /** Starts at `now`, in milliseconds. */
  constructor(now: number, tickMs: number) {
    this.tickMs = tickMs;
    this.bytesIn = new Rate(now);
    this.bytesOut = new Rate(now);
    this.frames = new Rate(now);
  }

  received(lane: Lane, bytes: number, now: number): void {
    this.bytesIn.add(bytes, now);
    this.byLane[lane] += bytes;
  }

  sent(bytes: number, now: number): void {
    this.bytesOut.add(bytes, now);
  }

  pong(rttMs: number, tickCostMs: number): void {
    this.rttMs = Number.isNaN(this.rttMs) ? rttMs : this.rttMs + (rttMs - this.rttMs) / 4;
    this.tickCostMs = tickCostMs;
  }

  /** A frame or state of `tick` was applied at `now`, when the fastest one would have been of `serverTick`. */
  applied(tick: number, serverTick: number, now: number): void {
    this.frames.add(1, now);
    if (tick <= this.newest) return;
    if (this.newest >= 0) {
      const way = Number.isNaN(this.rttMs) ? 0 : this.rttMs / 2;
      this.ages[this.agesCount++ % AGES] = Math.max(0, (serverTick - this.newest) * this.tickMs + way);
    }
    this.newest = tick;
  }

  /** A state of `tick` came by the latest lane. */
  state(tick: number): void {
    this.statesIn++;
    this.states.seen(tick);
  }

  /** A state came that was of no use. */
  unusable(): void {
    this.statesIn++;
    this.unused++;
  }

  /** Another connection begins; what came before says nothing of it. */
  reconnected(resumed: boolean): void {
    if (resumed) this.resumes++;
    this.rttMs = NaN;
    this.newest = -1;
    this.states.forget();
  }

  /** What is told to the server; each time of what was since the last. */
  report(frame: number, jitterMs: number): Report {
    const late = Math.min(this.agesCount - this.agesReported, AGES);
    this.agesReported = this.agesCount;
    const received = this.statesIn - this.statesReported;
    this.statesReported = this.statesIn;
    return {
      frame,
      roundTripMicros: micros(this.rttMs),
      jitterMicros: micros(jitterMs),
      stalenessMicros: micros(this.percentile(0.99, late)),
      statesReceived: received,
      statesLost: this.states.lostSince(),
    };
  }

  numbers(now: number): QualityStats {
    const ages = Math.min(this.agesCount, AGES);
    return {
      rttMs: this.rttMs,
      tickCostMs: this.tickCostMs,
      stalenessP50Ms: this.percentile(0.5, ages),
      stalenessP99Ms: this.percentile(0.99, ages),
      bytesInPerSecond: this.bytesIn.perSecond(now),
      bytesOutPerSecond: this.bytesOut.perSecond(now),
      framesPerSecond: this.frames.perSecond(now),
      bytesIn: this.bytesIn.total,
      bytesOut: this.bytesOut.total,
      framesIn: this.frames.total,
      bytesByLane: { ...this.byLane },
      statesIn: this.statesIn,
      statesUnused: this.unused,
      loss: this.states.share(),
      resumes: this.resumes,
    };
  }

  /** Of the newest `count` ages. */
  private percentile(part: number, count: number): number {
    if (count === 0) return 0;
    const ages = Float64Array.from({ length: count }, (_, back) => this.ages[(this.agesCount - 1 - back) % AGES]!).sort();
    return ages[Math.min(count - 1, Math.floor(count * part))]!;
  }
}

/**
 * How many states were lost. They carry no numbers of their own, so it is told from the beat in which they come: where
 * mostly every second tick brings one, two ticks without are one that is lost.
 */
export class Losses {
  private readonly ticks = new Float64Array(TICKS).fill(-1);
  private newest = -1;
  private reported = -1;

  /** A state of `tick` came. */
  seen(tick: number): void {
    this.ticks[tick % TICKS] = tick;
    if (this.newest < 0) this.reported = tick;
    this.newest = Math.max(this.newest, tick);
  }

  /** Starts anew. */
  forget(): void {
    this.ticks.fill(-1);
    this.newest = this.reported = -1;
  }

  /** How many were lost since the last time. */
  lostSince(): number {
    const until = this.newest - LATE_TICKS;
    if (until <= this.reported) return 0;
    const { lost } = this.between(this.reported, until);
    this.reported = until;
    return lost;
  }

  /** The share that was lost of late. */
  share(): number {
    const until = this.newest - LATE_TICKS;
    const { came, lost } = this.between(until - TICKS / 2, until);
    return lost === 0 ? 0 : lost / (came + lost);
  }

  private between(from: number, until: number): { came: number; lost: number } {
    const gaps: number[] = [];
    let last = -1;
    for (let tick = Math.max(0, from, this.newest - TICKS + 1); tick <= until; tick++) {
      if (this.ticks[tick % TICKS] !== tick) continue;
      if (last >= 0) gaps.push(tick - last);
      last = tick;
    }
    const beat = gaps.toSorted((a, b) => a - b)[Math.floor(gaps.length / 4)] ?? 1;
    const lost = gaps.reduce((sum, gap) => sum + (gap <= beat * BEATS_MAX ? Math.max(0, Math.round(gap / beat) - 1) : 0), 0);
    return { came: gaps.length, lost };
  }
}

function micros(milliseconds: number): number {
  return Number.isNaN(milliseconds) ? 0 : Math.min(Math.round(milliseconds * 1000), 0xffffffff);
}
