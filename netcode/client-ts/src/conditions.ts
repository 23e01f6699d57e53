/**
 * A network that is worse than the one that is there: what a message meets on its way, decided by chance from a seed.
 * Knows no clock and no socket; `simulator.ts` puts it around one.
 */

import { random } from "./random.ts";
import type { Lane } from "./socket.ts";

/** How bad a simulated network is. Holds for both directions, each with its own chance. */
export interface Conditions {
  /** What every message takes, one way, in milliseconds. */
  readonly latencyMs?: number;
  /** Each takes up to so much longer. */
  readonly jitterMs?: number;
  /** The share of packets that is lost, from 0 to below 1. What arrives by all means then takes a round trip longer. */
  readonly loss?: number;
  /** How many packets in a row are lost on average, at least 1. */
  readonly burst?: number;
  /** The share of packets of the latest lane that arrive twice. */
  readonly duplicate?: number;
  /** The share of packets of the latest lane that later ones overtake. */
  readonly reorder?: number;
  /** The same seed is the same fate for the same messages. Default: 1. */
  readonly seed?: number;
}

/** A packet that others overtake is so much later than they, in milliseconds, or twice the latency if that is more. */
const OVERTAKEN_MS = 30;

/** One direction of a network. */
export class Path {
  private readonly conditions: Required<Conditions>;
  private readonly chance: () => number;
  private losing = false;
  /** When the last message of each lane that keeps order arrives. */
  private readonly arrivals = { Control: 0, World: 0 };

  /** @param direction tells the two directions of a connection apart. */
  constructor(conditions: Conditions, direction: number) {
    this.conditions = { latencyMs: 0, jitterMs: 0, loss: 0, burst: 1, duplicate: 0, reorder: 0, seed: 1, ...conditions };
    this.chance = random(Math.imul(this.conditions.seed, 2) + direction);
  }

  /** When a message arrives that is sent at `now`: once, and on the latest lane perhaps never or twice. */
  arrive(lane: Lane, now: number): number[] {
    const { latencyMs, jitterMs, duplicate, reorder } = this.conditions;
    const lost = this.loses();
    const taken = now + latencyMs + this.chance() * jitterMs;
    if (lane !== "Latest") {
      const arrival = Math.max(this.arrivals[lane], lost ? taken + 2 * latencyMs + jitterMs : taken);
      this.arrivals[lane] = arrival;
      return [arrival];
    }
    const late = this.chance() < reorder ? Math.max(OVERTAKEN_MS, 2 * latencyMs) : 0;
    const again = this.chance() < duplicate;
    if (lost) return [];
    return again ? [taken + late, taken + this.chance() * OVERTAKEN_MS] : [taken + late];
  }

  /** Losses come in bursts (Gilbert's model): the share is `loss`, the mean length `burst`. */
  private loses(): boolean {
    const { loss, burst } = this.conditions;
    const end = 1 / Math.max(burst, 1);
    const begin = (end * loss) / (1 - Math.min(loss, 0.999));
    this.losing = this.losing ? this.chance() >= end : this.chance() < begin;
    return this.losing;
  }
}
