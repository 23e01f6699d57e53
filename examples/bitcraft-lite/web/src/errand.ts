/** What our player is up to: walking somewhere, or walking to a node and working it until it is bare. */

import { CallFailed, type Client, ConnectionClosed, type EntityId, refused, type Vec2 } from "@evertick/client";

import { gather, Node, Position, walk_to } from "./generated/bitcraft.ts";

/** From where a node is worked, in metres; the server allows 3. */
const WORK_METERS = 1.9;
const REACH_METERS = 2.9;
/** The time between two strokes, in milliseconds. */
const STROKE_MS = 650;

export class Errand {
  private readonly client: Client;
  private readonly me: EntityId;
  private readonly tell: (message: string) => void;
  private node: EntityId | null = null;
  private nextStroke = 0;

  /** `tell` shows the player why something was refused. */
  constructor(client: Client, me: EntityId, tell: (message: string) => void) {
    this.client = client;
    this.me = me;
    this.tell = tell;
  }

  /** Walks to a point and forgets what was being done. */
  walk(to: Vec2): void {
    this.node = null;
    this.call(this.client.call(walk_to, to));
  }

  /** Walks to a node and gathers from it. */
  work(node: EntityId): void {
    const from = this.client.get(Position, this.me)?.at;
    const at = this.client.get(Position, node)?.at;
    if (!from || !at) return;
    this.node = node;
    this.nextStroke = 0;
    const meters = Math.hypot(at.x - from.x, at.y - from.y);
    if (meters <= REACH_METERS) return;
    const share = (meters - WORK_METERS) / meters;
    this.call(this.client.call(walk_to, { x: from.x + (at.x - from.x) * share, y: from.y + (at.y - from.y) * share }));
  }

  /** Forgets what was being done: the player does something else. */
  end(): void {
    this.node = null;
  }

  /** Strikes when it is time. `now` is in milliseconds; to be called in every picture. */
  step(now: number): void {
    if (this.node === null || now < this.nextStroke) return;
    const node = this.node;
    const from = this.client.get(Position, this.me)?.at;
    const at = this.client.get(Position, node)?.at;
    if (!from || !at || (this.client.get(Node, node)?.charges ?? 0) === 0) {
      if (this.nextStroke === 0 && at) this.tell("Nothing is left here. It grows back.");
      this.node = null;
    } else if (Math.hypot(at.x - from.x, at.y - from.y) <= REACH_METERS) {
      this.nextStroke = now + STROKE_MS;
      this.call(this.client.call(gather, { node }));
    }
  }

  private call(answer: Promise<void>): void {
    answer.catch((error: unknown) => {
      if (error instanceof ConnectionClosed) return;
      if (refused(gather, error) && error.refusal.type === "Empty") this.node = null;
      else if (error instanceof CallFailed && error.code === "RateLimited") this.nextStroke = performance.now() + STROKE_MS;
      else {
        this.node = null;
        this.tell(error instanceof Error ? error.message : String(error));
      }
    });
  }
}
