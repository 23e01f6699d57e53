/**
 * A network that is worse than the one that is there: what a message meets on its way, decided by chance from a seed.
 * Knows no clock and no socket; `simulator.ts` puts it around one. The Rust SDK's simulated network follows the same rules.
 */

import { random } from "./random.ts";
import type { Lane } from "./socket.ts";

/** How bad a simulated network is, the same both ways. What is left out is as good as can be. */
export interface Conditions {
  /** From one end to the other, at least, in milliseconds; a round trip takes twice as long. */
  readonly latencyMs?: number;
  /** What a message takes longer at most; each has its own part of it, all parts are as likely. */
  readonly jitterMs?: number;
  /** The share of messages that get lost, 0 to 1. What must arrive is missed and sent again, which takes a round trip and more. */
  readonly loss?: number;
  /** How many are lost in a row, on average; up to 1 every loss is for itself. */
  readonly burst?: number;
  /** The share of messages of the latest lane that arrive twice, 0 to 1. */
  readonly duplicate?: number;
  /** The share of messages of the latest lane that are held up for another latency and jitter, so that later ones overtake, 0 to 1. */
  readonly reorder?: number;
  /** The same seed does the same to the same messages. */
  readonly seed?: number;
}

/** What finding out that a message was lost takes beyond the round trip, in milliseconds. */
const REPETITION_MS = 10;

/** How often a message that must arrive is lost at most. */
const REPETITIONS_MAX = 8;

/** One direction of a network. */
export class Path {
  private readonly conditions: Required<Conditions>;
  private readonly chance: () => number;
  private losing = false;
  /** When the first message arrives: nothing overtakes it. */
  private first = -Infinity;
  /** When the last message of each lane that keeps order arrives. */
  private readonly last: { Control: number; World: number };

  /**
   * @param direction tells the two directions of a connection apart.
   * @param behind when what is under way already arrives: what must arrive does not overtake it.
   */
  constructor(conditions: Conditions, direction: number, behind = -Infinity) {
    this.last = { Control: behind, World: behind };
    this.conditions = { latencyMs: 0, jitterMs: 0, loss: 0, burst: 1, duplicate: 0, reorder: 0, seed: 0, ...conditions };
    this.chance = random(Math.imul(this.conditions.seed, 2) + direction);
  }

  /** When a message arrives that is sent at `now`, in milliseconds: once, and on the latest lane perhaps never or twice. */
  arrive(lane: Lane, now: number): number[] {
    const { latencyMs, jitterMs, duplicate, reorder } = this.conditions;
    let at = now + latencyMs + this.chance() * jitterMs;
    if (lane === "Latest") {
      const lost = this.loses();
      if (this.chance() < reorder) at += latencyMs + jitterMs;
      const twice = this.chance() < duplicate;
      const again = now + latencyMs + this.chance() * jitterMs;
      return [...(lost ? [] : [at]), ...(twice ? [again] : [])].map((arrival) => Math.max(arrival, this.first));
    }
    for (let lost = 0; lost < REPETITIONS_MAX && this.loses(); lost++) at += 2 * (latencyMs + jitterMs) + REPETITION_MS;
    at = Math.max(at, this.first, this.last[lane]);
    this.last[lane] = at;
    if (this.first === -Infinity) this.first = at;
    return [at];
  }

  /** When the end arrives that is said at `now`: behind all that must arrive. */
  end(now: number): number {
    const { latencyMs, jitterMs } = this.conditions;
    return Math.max(now + latencyMs + this.chance() * jitterMs, this.last.Control, this.last.World);
  }

  /** Losses come in bursts, by the model of Gilbert and Elliott with all lost in its bad state. */
  private loses(): boolean {
    const { loss, burst } = this.conditions;
    let share = loss;
    if (burst > 1) share = this.losing ? 1 - 1 / burst : loss / Math.max(burst * (1 - loss), Number.MIN_VALUE);
    this.losing = this.chance() < share;
    return this.losing;
  }
}
