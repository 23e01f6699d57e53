/** One stay in the world: from joining to the end of the connection. */

import type { Client, ClientStats, EntityId, Vec2 } from "@evertick/client";

import { Camera } from "./camera.ts";
import { Errand } from "./errand.ts";
import { Avatar, Bag, Chunk, Creature, Gathered, Node, Position, Said, say } from "./generated/bitcraft.ts";
import type { Hud } from "./hud.ts";
import type { Overlay } from "./overlay.ts";
import { Scene } from "./scene.ts";
import { Steering } from "./steering.ts";

const ITEMS = [
  ["wood", "#e8c79a"],
  ["stone", "#d8dde0"],
  ["berries", "#f3a0ae"],
] as const;

/** What {@link Game.counts} tells, for tests and the curious. */
export interface Counts {
  readonly players: number;
  readonly creatures: number;
  readonly nodes: number;
  readonly chunks: number;
  readonly chunksPainted: number;
  readonly shown: number;
  readonly framesPerSecond: number;
}

/** What {@link Game.nodes} tells of a node. */
export interface NodeInSight {
  readonly id: string;
  readonly kind: number;
  readonly charges: number;
  /** How far it is from our player. */
  readonly meters: number;
  /** Where on the page it stands, in CSS pixels. */
  readonly screen: Vec2;
}

export class Game {
  readonly client: Client;
  readonly me: EntityId;
  readonly camera = new Camera();
  readonly steering: Steering;
  private readonly canvas: HTMLCanvasElement;
  private readonly context: CanvasRenderingContext2D;
  private readonly hud: Hud;
  private readonly overlay: Overlay;
  private readonly scene: Scene;
  private readonly errand: Errand;
  private mouse: Vec2 | null = null;
  private last = performance.now();
  private framesPerSecond = 60;
  private nextNumbers = 0;
  private running = true;

  constructor(client: Client, me: EntityId, canvas: HTMLCanvasElement, hud: Hud, overlay: Overlay) {
    this.client = client;
    this.me = me;
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false })!;
    this.hud = hud;
    this.overlay = overlay;
    this.scene = new Scene(client);
    this.errand = new Errand(client, me, (message) => hud.toast(message));
    this.steering = new Steering(client, me, () => this.errand.end());
    this.listen();
    hud.bag(client.get(Bag, me), undefined);
    requestAnimationFrame(this.frame);
  }

  /** Ends the drawing. */
  stop(): void {
    this.running = false;
  }

  stats(): ClientStats {
    return this.client.stats();
  }

  counts(): Counts {
    const { client, scene } = this;
    const { known, painted } = scene.terrain.counts;
    return {
      players: client.count(Avatar),
      creatures: client.count(Creature),
      nodes: client.count(Node),
      chunks: Math.max(known, client.count(Chunk)),
      chunksPainted: painted,
      shown: scene.shown,
      framesPerSecond: this.framesPerSecond,
    };
  }

  /** Where an entity is, as the server last said. */
  position(entity: EntityId): Vec2 | null {
    const at = this.client.get(Position, entity)?.at;
    return at ? { ...at } : null;
  }

  /** Where our player is drawn. */
  shown(): Vec2 | null {
    return this.scene.drawn(this.me) ?? null;
  }

  /** The nodes in sight, the nearest first. */
  nodes(): NodeInSight[] {
    const { camera, client } = this;
    const from = this.position(this.me) ?? camera.center;
    return [...client.query(Node, Position)]
      .map(([entity, { kind, charges }, { at }]) => ({
        id: String(entity),
        kind,
        charges,
        meters: Math.hypot(at.x - from.x, at.y - from.y),
        screen: { x: camera.toScreenX(at.x) / camera.pixelRatio, y: camera.toScreenY(at.y) / camera.pixelRatio },
      }))
      .sort((a, b) => a.meters - b.meters);
  }

  /** A click at a place of the page: gathers from what is there, or walks there. */
  click(clientX: number, clientY: number): void {
    const at = this.camera.toWorld(clientX, clientY);
    const node = this.scene.nodeAt(at);
    this.scene.effects.click(at, this.last / 1000);
    if (node === undefined) this.errand.walk(at);
    else this.errand.work(node);
  }

  /** The mouse is somewhere, or nowhere. */
  point(at: Vec2 | null): void {
    this.mouse = at;
  }

  say(text: string): void {
    this.client.call(say, { text }).catch((error: Error) => this.hud.toast(error.message));
  }

  private listen(): void {
    const { client, hud, scene } = this;
    client.onUpdate(Bag, (entity, bag, old) => entity === this.me && hud.bag(bag, old));
    client.onInsert(Bag, (entity, bag) => entity === this.me && hud.bag(bag, undefined));
    client.onEvent(Said, ({ by, text }) => {
      const avatar = client.get(Avatar, by);
      const color = `#${((avatar?.color ?? 0) & 0x9f9f9f).toString(16).padStart(6, "0")}`;
      scene.effects.say(by, text, performance.now() / 1000);
      hud.chat(avatar?.name ?? "Somebody", color, text);
    });
    client.onEvent(Gathered, ({ by, node, item, count }) => {
      const [name, color] = ITEMS[item] ?? ["item", "#ffffff"];
      scene.effects.gathered(by, node, client.get(Position, node)?.at, `+${count} ${name}`, color, performance.now() / 1000);
    });
  }

  private readonly frame = (now: number): void => {
    if (!this.running) return;
    requestAnimationFrame(this.frame);
    const seconds = Math.min((now - this.last) / 1000, 0.25);
    this.last = now;
    if (seconds > 0) this.framesPerSecond += (1 / seconds - this.framesPerSecond) * 0.05;
    const { camera, client, scene } = this;
    const tick = client.renderTick(now);
    camera.fit(this.canvas);
    this.steering.step(now);
    const told = scene.place(this.me, tick);
    const place = told && this.steering.place(told, now, seconds);
    if (place) camera.follow(place, seconds);
    scene.own = place ? { entity: this.me, at: place } : null;
    this.errand.step(now);
    const hovered = this.mouse ? scene.nodeAt(camera.toWorld(this.mouse.x, this.mouse.y)) : undefined;
    this.canvas.style.cursor = hovered === undefined ? "default" : "pointer";
    scene.draw(this.context, camera, tick, this.me, hovered, now / 1000, seconds);
    this.overlay.step(client, this.steering.correction, now);
    if (now >= this.nextNumbers) {
      this.nextNumbers = now + 250;
      this.hud.numbers(client.stats(), client.transport, scene.shown, this.framesPerSecond);
    }
  };
}
