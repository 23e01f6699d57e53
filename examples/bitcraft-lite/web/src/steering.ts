/**
 * Our player by W, A, S and D: inputs for the server, and where they lead before it has told. The steps are the module's own
 * function, run from its `.wasm` file.
 */

import { type Client, type EntityId, loadPredictions, type Predicted, type Vec2 } from "@evertick/client";

import { Body, module, steer, stride, Walk } from "./generated/bitcraft.ts";
import wasm from "./generated/bitcraft.wasm?url";

const WAYS: Readonly<Record<string, Vec2>> = {
  KeyW: { x: 0, y: -1 },
  KeyA: { x: -1, y: 0 },
  KeyS: { x: 0, y: 1 },
  KeyD: { x: 1, y: 0 },
};

/** For how long the server is told that no key is down any more, in milliseconds, so that a lost input does no harm. */
const REST_MS = 600;

/** What counts as the same place, in metres. */
const SAME_METERS = 0.05;

/** The share of a gap that is closed in a second, as an exponent. */
const EASE = 12;

export class Steering {
  private readonly client: Client;
  private readonly me: EntityId;
  private readonly begins: () => void;
  private readonly pressed = new Set<string>();
  private body: Predicted<Body> | null = null;
  /** When the last key was let go. */
  private released = -Infinity;
  private steers = false;
  /** Whether we were drawn where our inputs lead, where that was, and what is left of the way from one source to the other. */
  private ahead = false;
  private readonly drawn: Vec2 = { x: 0, y: 0 };
  private readonly gap: Vec2 = { x: 0, y: 0 };

  /** `begins` is called whenever the player goes somewhere by the keys. */
  constructor(client: Client, me: EntityId, begins: () => void) {
    this.client = client;
    this.me = me;
    this.begins = begins;
    // Without it we are drawn as the others are.
    this.load().catch((error: unknown) => console.error("nothing is foretold:", error));
  }

  private async load(): Promise<void> {
    const answer = await fetch(wasm);
    if (!answer.ok) throw new Error(`${answer.url} is answered ${answer.status}`);
    const predictions = await loadPredictions(await answer.arrayBuffer(), module);
    this.body = this.client.predict(stride, this.me, predictions.step(stride));
  }

  /** How far the server's last word moved what was foretold, in metres; `null` when nothing is. */
  get correction(): number | null {
    return this.steers && this.body ? this.body.correction : null;
  }

  /** Where our inputs lead; `null` before the module's function is loaded. */
  foretold(now?: number): Vec2 | null {
    return this.body?.get(now)?.at ?? null;
  }

  /** A key was pressed. */
  press(code: string): void {
    if (code in WAYS) this.pressed.add(code);
  }

  /** A key was let go; without `code` all are. */
  release(code?: string): void {
    if (code === undefined) this.pressed.clear();
    else this.pressed.delete(code);
  }

  /** Sends what is pressed. `now` is in milliseconds; to be called in every picture. */
  step(now: number): void {
    if (this.pressed.size > 0) this.released = now;
    else if (now > this.released + REST_MS) return;
    const toward = { x: 0, y: 0 };
    for (const code of this.pressed) {
      toward.x += WAYS[code]!.x;
      toward.y += WAYS[code]!.y;
    }
    if (toward.x !== 0 || toward.y !== 0) {
      this.steers = true;
      this.begins();
    }
    this.client.input(steer, { toward });
  }

  /** Where we are to be drawn, `told` being where the server's word has us; to be called in every picture, `seconds` after the last. */
  place(told: Vec2, now: number, seconds: number): Vec2 {
    const { drawn, gap } = this;
    const foretold = this.foretold(now);
    if (!foretold || this.ends(foretold, told, now)) this.steers = false;
    const at = this.steers && foretold ? foretold : told;
    if (this.steers !== this.ahead) {
      this.ahead = this.steers;
      gap.x = drawn.x - at.x;
      gap.y = drawn.y - at.y;
    }
    const left = Math.exp(-seconds * EASE);
    gap.x *= left;
    gap.y *= left;
    drawn.x = at.x + gap.x;
    drawn.y = at.y + gap.y;
    return drawn;
  }

  /** Whether the server's word is enough again: it has caught up, or tells of a walk. */
  private ends(foretold: Vec2, told: Vec2, now: number): boolean {
    if (this.pressed.size > 0) return false;
    if (this.client.get(Walk, this.me)) return true;
    return now > this.released + REST_MS && Math.hypot(foretold.x - told.x, foretold.y - told.y) < SAME_METERS;
  }
}
