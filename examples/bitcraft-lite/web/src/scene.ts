/** Draws the world, some sixty times a second. */

import type { Client, EntityId, Smooth, Vec2 } from "@evertick/client";

import type { Camera } from "./camera.ts";
import { Effects } from "./effects.ts";
import { type Figure, Figures, stepOf } from "./motion.ts";
import { creatureRadius, creatureSprite, playerSprite } from "./figures.ts";
import { Avatar, Creature, Node, Position, Walk } from "./generated/bitcraft.ts";
import { nodeLook, nodeSprite } from "./nodes.ts";
import { type Sprite, Sprites } from "./sprites.ts";
import { Terrain } from "./terrain.ts";

/** Farther than this between two ticks is no walk but a jump. */
const SNAP_METERS = 8;

interface Drawn {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly alpha: number;
  readonly sprite: Sprite;
  /** A name to write above it. */
  readonly label: string | null;
}

export class Scene {
  readonly effects = new Effects();
  readonly terrain: Terrain;
  /** Who is drawn somewhere else than the server's word has it, and where. */
  own: { readonly entity: EntityId; readonly at: Vec2 } | null = null;
  /** How many nodes, creatures and players the last picture showed. */
  shown = 0;
  private readonly client: Client;
  private readonly smooth: Smooth;
  private readonly figures = new Figures();
  private readonly sprites = new Sprites();
  private readonly colors = new Map<number, number>();
  private readonly at: Vec2 = { x: 0, y: 0 };

  constructor(client: Client) {
    this.client = client;
    this.terrain = new Terrain(client);
    this.smooth = client.interpolate(Position, "at", { snapDistance: SNAP_METERS });
  }

  /** Where the server's word has an entity at `tick`. */
  place(entity: EntityId, tick: number): Vec2 | undefined {
    return this.smooth.get(entity, tick);
  }

  /** Where an entity was in the last picture. */
  drawn(entity: EntityId): Vec2 | undefined {
    const figure = this.figures.get(entity);
    return figure && { x: figure.x, y: figure.y };
  }

  /** The node at a point of the world, the nearest of several. */
  nodeAt(point: Vec2): EntityId | undefined {
    let best: EntityId | undefined;
    let least = Infinity;
    for (const [entity, node, { at }] of this.client.query(Node, Position)) {
      const look = nodeLook(node.kind);
      const dx = (point.x - at.x) / (look.radius * 1.1);
      // What stands up is also hit above its foot.
      const dy = point.y > at.y ? (point.y - at.y) / 0.7 : (point.y - at.y) / (node.charges === 0 ? 0.8 : look.height);
      const distance = Math.hypot(dx, dy);
      if (distance < 1 && distance < least) {
        least = distance;
        best = entity;
      }
    }
    return best;
  }

  /** Draws everything. `now` is in seconds, `seconds` since the last picture. */
  draw(context: CanvasRenderingContext2D, camera: Camera, tick: number, me: EntityId | undefined, hovered: EntityId | undefined, now: number, seconds: number): void {
    this.sprites.rescale(camera.scale);
    this.terrain.draw(context, camera, now);
    if (me !== undefined) this.drawWay(context, camera, me);
    this.effects.drawBelow(context, camera, now);
    const things = this.gather(camera, tick, now, seconds);
    things.sort((a, b) => a.y - b.y);
    this.drawShadows(context, camera, things);
    if (hovered !== undefined) this.drawRing(context, camera, hovered);
    for (const { x, y, sprite, alpha } of things) {
      context.globalAlpha = alpha;
      const { scale } = camera;
      context.drawImage(
        sprite.picture,
        camera.toScreenX(x - sprite.left),
        camera.toScreenY(y - sprite.top),
        sprite.width * scale,
        sprite.height * scale,
      );
    }
    context.globalAlpha = 1;
    this.drawNames(context, camera, things);
    this.effects.drawAbove(context, camera, now, (entity) => {
      const figure = this.figures.get(entity);
      return figure ? { x: figure.x, y: figure.y - 2.95 } : undefined;
    });
    this.shown = things.length;
    this.figures.sweep();
  }

  /** Everything on the screen that stands on the ground. */
  private gather(camera: Camera, tick: number, now: number, seconds: number): Drawn[] {
    const things: Drawn[] = [];
    const { at, client, effects, sprites } = this;
    for (const [entity, node] of client.query(Node)) {
      const place = client.get(Position, entity)?.at;
      if (!place || !camera.sees(place.x, place.y, 5)) continue;
      const { radius } = nodeLook(node.kind);
      const sprite = nodeSprite(sprites, node.kind, node.charges, Number(entity & 0xffffn));
      things.push({ x: place.x + effects.shake(entity, now), y: place.y, radius: node.charges === 0 ? radius * 0.5 : radius, alpha: 1, sprite, label: null });
    }
    for (const [entity, creature] of client.query(Creature)) {
      const figure = this.move(entity, tick, seconds, at);
      if (!figure || !camera.sees(figure.x, figure.y, 2)) continue;
      const sprite = creatureSprite(sprites, creature.kind, stepOf(figure, 0.9), figure.left);
      things.push({ x: figure.x, y: figure.y, radius: creatureRadius(creature.kind), alpha: Math.min(1, figure.age * 4), sprite, label: null });
    }
    for (const [entity, avatar] of client.query(Avatar)) {
      const figure = this.move(entity, tick, seconds, at);
      if (!figure || !camera.sees(figure.x, figure.y, 4)) continue;
      const sprite = playerSprite(sprites, this.soft(avatar.color), stepOf(figure, 1.5), figure.left, effects.stroke(entity, now));
      things.push({ x: figure.x, y: figure.y, radius: 0.6, alpha: Math.min(1, figure.age * 4), sprite, label: avatar.name });
    }
    return things;
  }

  private move(entity: EntityId, tick: number, seconds: number, at: Vec2): Figure | undefined {
    const place = this.own?.entity === entity ? this.own.at : this.smooth.get(entity, tick, at);
    return place && this.figures.move(entity, place.x, place.y, seconds);
  }

  /** A colour that fits the others: less of itself, more of the light. */
  private soft(color: number): number {
    let soft = this.colors.get(color);
    if (soft === undefined) {
      const part = (shift: number) => Math.round(((color >> shift) & 0xff) * 0.62 + 190 * 0.38) << shift;
      soft = part(16) | part(8) | part(0);
      this.colors.set(color, soft);
    }
    return soft;
  }

  private drawShadows(context: CanvasRenderingContext2D, camera: Camera, things: readonly Drawn[]): void {
    context.fillStyle = "rgba(24, 40, 48, 0.2)";
    context.beginPath();
    for (const { x, y, radius } of things) {
      const left = camera.toScreenX(x + radius * 0.18);
      const top = camera.toScreenY(y + radius * 0.05);
      context.moveTo(left + radius * camera.scale, top);
      context.ellipse(left, top, radius * camera.scale, radius * 0.45 * camera.scale, 0, 0, Math.PI * 2);
    }
    context.fill();
  }

  /** The rest of our own walk. */
  private drawWay(context: CanvasRenderingContext2D, camera: Camera, me: EntityId): void {
    const walk = this.client.get(Walk, me);
    const figure = this.figures.get(me);
    if (!walk || !figure) return;
    context.strokeStyle = "rgba(255, 252, 240, 0.55)";
    context.lineWidth = 2 * camera.pixelRatio;
    context.setLineDash([2 * camera.pixelRatio, 8 * camera.pixelRatio]);
    context.lineCap = "round";
    context.beginPath();
    context.moveTo(camera.toScreenX(figure.x), camera.toScreenY(figure.y));
    context.lineTo(camera.toScreenX(walk.to.x), camera.toScreenY(walk.to.y));
    context.stroke();
    context.setLineDash([]);
  }

  private drawRing(context: CanvasRenderingContext2D, camera: Camera, node: EntityId): void {
    const at = this.client.get(Position, node)?.at;
    const kind = this.client.get(Node, node)?.kind;
    if (!at || kind === undefined) return;
    const radius = nodeLook(kind).radius * 1.15 * camera.scale;
    context.strokeStyle = "rgba(255, 250, 225, 0.9)";
    context.lineWidth = 2 * camera.pixelRatio;
    context.beginPath();
    context.ellipse(camera.toScreenX(at.x), camera.toScreenY(at.y), radius, radius * 0.55, 0, 0, Math.PI * 2);
    context.stroke();
  }

  private drawNames(context: CanvasRenderingContext2D, camera: Camera, things: readonly Drawn[]): void {
    const { pixelRatio } = camera;
    context.font = `600 ${12 * pixelRatio}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.lineWidth = 3 * pixelRatio;
    context.lineJoin = "round";
    context.strokeStyle = "rgba(36, 49, 58, 0.6)";
    context.fillStyle = "#fffdf4";
    for (const { x, y, label } of things) {
      if (label === null) continue;
      const left = camera.toScreenX(x);
      const top = camera.toScreenY(y - 2.75);
      context.strokeText(label, left, top);
      context.fillText(label, left, top);
    }
  }
}
