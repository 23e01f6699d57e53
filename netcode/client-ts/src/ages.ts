/** How old what is shown is, over time. */

/** The width of a bucket, in milliseconds, and how many there are: older counts as the last. */
const BUCKET_MS = 2;
const BUCKETS = 1_500;

/**
 * For how long data of which age was shown. Between two arrivals what is shown grows older with every moment, so each stretch is
 * spread evenly over the ages that it went through.
 */
export class Ages {
  private readonly shown = new Float64Array(BUCKETS);
  private total = 0;

  /** Data that was `age` old when it was first shown was shown for so long; both in milliseconds. */
  add(age: number, ms: number): void {
    const last = BUCKETS - 1;
    const from = Math.max(age, 0) / BUCKET_MS;
    const to = from + ms / BUCKET_MS;
    for (let at = Math.min(from, last); at < Math.min(to, last); ) {
      const next = Math.min(Math.floor(at) + 1, to);
      this.shown[Math.floor(at)]! += next - at;
      at = next;
    }
    this.shown[last]! += Math.max(0, to - Math.max(from, last));
    this.total += to - from;
  }

  /** The age that is exceeded for the share of the time that lies above `quantile`, in milliseconds; 0 when nothing is known. */
  quantile(quantile: number): number {
    if (this.total === 0) return 0;
    let below = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      below += this.shown[bucket]!;
      if (below >= this.total * quantile) return (bucket + 1) * BUCKET_MS;
    }
    return BUCKETS * BUCKET_MS;
  }

  /** What it knows counts half from now on. */
  fade(): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) this.shown[bucket]! /= 2;
    this.total /= 2;
  }

  /** Forgets everything. */
  clear(): void {
    this.shown.fill(0);
    this.total = 0;
  }
}
