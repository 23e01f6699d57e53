/** How much earlier than now the server is inputs must be meant for, so that they are there in time. */

/** How early inputs shall be there, in ticks. */
const SLACK_TICKS = 1.5;

/** The most that a lead may be, in ticks; a server refuses what is 16 ticks ahead. */
const LEAD_TICKS_MAX = 14;

/** Steers the lead by what the server says of inputs. */
export class InputLead {
  private readonly tickMs: number;
  private lead = SLACK_TICKS + 1;
  private slack: number | null = null;
  private steered = false;

  constructor(tickMs: number) {
    this.tickMs = tickMs;
  }

  /** By how many ticks inputs go before what was heard last. */
  get ticks(): number {
    return this.lead;
  }

  /** The least slack of the last report, in milliseconds; `NaN` before the first. */
  get slackMs(): number {
    return this.slack === null ? NaN : this.slack * this.tickMs;
  }

  /** A round trip was measured: until the server speaks of inputs it tells what to expect. */
  roundTrip(ms: number): void {
    if (this.slack === null) this.set(ms / this.tickMs + SLACK_TICKS);
  }

  /** The server says how early the latest input of the last while was, in microseconds; negative: too late. */
  report(slackMicros: number): void {
    this.slack = slackMicros / 1000 / this.tickMs;
    const missing = SLACK_TICKS - this.slack;
    // Too late is put right at once; but what was sent before that is in the next report as well.
    if (missing > 0.25 && !this.steered) {
      this.set(this.lead + missing);
      this.steered = true;
      return;
    }
    this.steered = false;
    if (missing < 0) this.set(this.lead + missing / 8);
  }

  private set(ticks: number): void {
    this.lead = Math.min(Math.max(ticks, 0), LEAD_TICKS_MAX);
  }
}
