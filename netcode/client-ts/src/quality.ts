/** Measures the way to the server: round trips, bytes by lane, loss, and how old what is shown is. */

import { Ages } from "./ages.ts";
import type { Report } from "./requests.ts";
import type { Lane } from "./socket.ts";
import { type QualityStats, Rate } from "./stats.ts";

/** How long it takes until an age counts half in the numbers, in milliseconds. */
const FADE_MS = 5_000;

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
  /** Of late, and since the last report. */
  private readonly ages = new Ages();
  private readonly agesToReport = new Ages();
  private nextFade = 0;
  /** The newest applied data: its tick, how old it was when it came, and when that was. */
  private newest = { tick: -1, age: 0, at: 0 };
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
    const { newest } = this;
    if (tick <= newest.tick) return;
    if (newest.tick >= 0) {
      this.ages.add(newest.age, now - newest.at);
      this.agesToReport.add(newest.age, now - newest.at);
    }
    newest.tick = tick;
    newest.age = (serverTick - tick) * this.tickMs + (Number.isNaN(this.rttMs) ? 0 : this.rttMs / 2);
    newest.at = now;
    if (now < this.nextFade) return;
    this.nextFade = now + FADE_MS;
    this.ages.fade();
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
    this.newest.tick = -1;
    this.states.forget();
  }

  /** What is told to the server; each time of what was since the last. */
  report(frame: number, jitterMs: number): Report {
    const staleness = this.agesToReport.quantile(0.99);
    this.agesToReport.clear();
    const received = this.statesIn - this.statesReported;
    this.statesReported = this.statesIn;
    return {
      frame,
      roundTripMicros: micros(this.rttMs),
      jitterMicros: micros(jitterMs),
      stalenessMicros: micros(staleness),
      statesReceived: received,
      statesLost: this.states.lostSince(),
    };
  }

  numbers(now: number): QualityStats {
    return {
      rttMs: this.rttMs,
      tickCostMs: this.tickCostMs,
      stalenessP50Ms: this.ages.quantile(0.5),
      stalenessP99Ms: this.ages.quantile(0.99),
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
