/** Coming back after a connection was lost: when to try, and for how long. */

import type { Reconnect } from "./options.ts";

/** The attempts to come back from one loss. */
export class Retries {
  private readonly resumeUntil: number;
  private readonly first: number;
  private readonly longest: number;
  private readonly chance: () => number;
  private attempts = 0;

  /** The connection was lost at `now`, in milliseconds. `chance` gives numbers from 0 up to 1. */
  constructor(options: Reconnect, now: number, chance: () => number = Math.random) {
    const [first, longest] = options.backoffMs ?? [100, 3_000];
    this.resumeUntil = now + (options.resumeMs ?? 60_000);
    this.first = first;
    this.longest = longest;
    this.chance = chance;
  }

  /** Whether the session may still be resumed. */
  resumable(now: number): boolean {
    return now < this.resumeUntil;
  }

  /** How long to wait before the next attempt, in milliseconds: each time twice as long, a half more or less. */
  delay(): number {
    const even = Math.min(this.first * 2 ** Math.min(this.attempts, 30), this.longest);
    this.attempts++;
    return Math.min(even * (0.5 + this.chance()), this.longest);
  }
}
