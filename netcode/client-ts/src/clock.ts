/**
 * The server's time, as far as it can be known from when frames arrive.
 *
 * Time is counted in ticks: frames say of which tick they are, and the world moves by ticks, so what is drawn
 * runs evenly although ticks are computed early or late. The frame with the least delay tells best when a
 * tick was; the estimate is the least `arrival - tick * length` of the last few seconds, and what is drawn follows
 * it by running at most 5 % fast or slow.
 */

/** Frames that are remembered. */
const SAMPLES = 64;

/** How much faster or slower than real the drawn time may run. */
const SLEW = 0.05;

/** Farther off than this, in ticks, the drawn time jumps. */
const JUMP_TICKS = 10;

/** Maps local milliseconds to ticks. */
export class TickClock {
  private readonly tickMs: number;
  private readonly samples = new Float64Array(SAMPLES).fill(Infinity);
  private next = 0;
  private offset = Infinity;
  private jitter = 0;
  private drawn = -Infinity;
  private drawnAt = 0;
  private latestTick = 0;

  /** A clock for ticks of `tickMs` milliseconds. */
  constructor(tickMs: number) {
    this.tickMs = tickMs;
  }

  /** The newest tick that was heard of. */
  get tick(): number {
    return this.latestTick;
  }

  /** How much later than the fastest frames others arrive, in milliseconds: a bound that falls slowly. */
  get jitterMs(): number {
    return this.jitter;
  }

  /** A frame of `tick` arrived at `now` (milliseconds of any steady clock, the same for all calls). */
  observe(tick: number, now: number): void {
    // Frames between ticks repeat the tick's number, and would look late.
    if (tick <= this.latestTick && this.offset !== Infinity) return;
    this.latestTick = tick;
    const sample = now - tick * this.tickMs;
    this.samples[this.next] = sample;
    this.next = (this.next + 1) % SAMPLES;
    this.offset = this.samples.reduce((least, value) => Math.min(least, value), Infinity);
    const late = sample - this.offset;
    this.jitter = Math.max(late, this.jitter + (late - this.jitter) / 32);
  }

  /** Where the server is at `now`, in ticks with fraction. */
  serverTick(now: number): number {
    return this.offset === Infinity ? this.latestTick : (now - this.offset) / this.tickMs;
  }

  /**
   * The tick to draw at `now`: far enough behind the server that the next frame has arrived. Never runs
   * backwards but for a jump. Call it once per picture.
   *
   * @param delayTicks how far behind, without the jitter that was seen; 1.7 ticks rides out one lost beat.
   */
  renderTick(now: number, delayTicks = 1.7): number {
    const target = this.serverTick(now) - delayTicks - Math.min(this.jitter / this.tickMs, 3);
    const real = (now - this.drawnAt) / this.tickMs;
    const even = this.drawn + real;
    this.drawnAt = now;
    if (!(Math.abs(target - even) <= JUMP_TICKS)) this.drawn = target;
    else this.drawn = even + Math.max(-real * SLEW, Math.min(real * SLEW, target - even));
    return this.drawn;
  }
}
