/** What comes and goes: words over heads, gathered items that rise, nodes that shake, where the last click was. */

import type { EntityId, Vec2 } from "@evertick/client";

import type { Camera } from "./camera.ts";

interface Bubble {
  readonly lines: readonly string[];
  readonly until: number;
}

interface Rising {
  readonly text: string;
  readonly color: string;
  readonly at: Vec2;
  readonly from: number;
}

const BUBBLE_SECONDS = 6;
const RISE_SECONDS = 1.3;
const SHAKE_SECONDS = 0.35;
const MARK_SECONDS = 0.6;
const WORK_SECONDS = 0.45;
const RISING_MAX = 64;

/** Times are seconds on the page's clock. */
export class Effects {
  private readonly bubbles = new Map<EntityId, Bubble>();
  private readonly rising: Rising[] = [];
  private readonly shakes = new Map<EntityId, number>();
  private readonly work = new Map<EntityId, number>();
  private mark: { at: Vec2; from: number } | null = null;

  say(by: EntityId, text: string, now: number): void {
    this.bubbles.set(by, { lines: wrap(text, 26), until: now + BUBBLE_SECONDS });
  }

  gathered(by: EntityId, node: EntityId, at: Vec2 | undefined, text: string, color: string, now: number): void {
    this.shakes.set(node, now);
    this.work.set(by, now);
    if (at && this.rising.length < RISING_MAX) this.rising.push({ text, color, at: { ...at }, from: now });
  }

  click(at: Vec2, now: number): void {
    this.mark = { at, from: now };
  }

  /** How far a node is pushed aside, in metres. */
  shake(node: EntityId, now: number): number {
    const age = now - (this.shakes.get(node) ?? -1);
    return age < SHAKE_SECONDS ? Math.sin(age * 55) * 0.09 * (1 - age / SHAKE_SECONDS) : 0;
  }

  /** How far somebody's arm is into a stroke: 0 (idle) to 1. */
  stroke(by: EntityId, now: number): number {
    const age = now - (this.work.get(by) ?? -1);
    return age < WORK_SECONDS ? 1 - age / WORK_SECONDS : 0;
  }

  /** Draws what lies on the ground. */
  drawBelow(context: CanvasRenderingContext2D, camera: Camera, now: number): void {
    if (!this.mark) return;
    const age = (now - this.mark.from) / MARK_SECONDS;
    if (age > 1) return;
    const radius = (0.25 + age * 0.55) * camera.scale;
    context.strokeStyle = `rgba(255, 252, 240, ${0.9 * (1 - age)})`;
    context.lineWidth = 2 * camera.pixelRatio;
    context.beginPath();
    context.ellipse(camera.toScreenX(this.mark.at.x), camera.toScreenY(this.mark.at.y), radius, radius * 0.6, 0, 0, Math.PI * 2);
    context.stroke();
  }

  /** Draws what floats above everything. `head` gives where somebody's head is, in metres. */
  drawAbove(context: CanvasRenderingContext2D, camera: Camera, now: number, head: (entity: EntityId) => Vec2 | undefined): void {
    context.textAlign = "center";
    this.drawRising(context, camera, now);
    for (const [by, bubble] of this.bubbles) {
      const at = head(by);
      if (now > bubble.until) this.bubbles.delete(by);
      else if (at) drawBubble(context, camera, at, bubble, Math.min(1, (bubble.until - now) * 2));
    }
    for (const times of [this.shakes, this.work]) {
      for (const [entity, from] of times) if (now - from > 1) times.delete(entity);
    }
  }

  private drawRising(context: CanvasRenderingContext2D, camera: Camera, now: number): void {
    const { pixelRatio } = camera;
    context.font = `700 ${15 * pixelRatio}px system-ui, sans-serif`;
    context.lineWidth = 3 * pixelRatio;
    context.lineJoin = "round";
    for (let index = this.rising.length - 1; index >= 0; index--) {
      const { at, from, text, color } = this.rising[index]!;
      const age = (now - from) / RISE_SECONDS;
      if (age > 1) {
        this.rising.splice(index, 1);
        continue;
      }
      const x = camera.toScreenX(at.x);
      const y = camera.toScreenY(at.y - 1.6) - 46 * pixelRatio * (1 - (1 - age) ** 2);
      context.globalAlpha = Math.min(1, (1 - age) * 2);
      context.strokeStyle = "rgba(36, 49, 58, 0.75)";
      context.strokeText(text, x, y);
      context.fillStyle = color;
      context.fillText(text, x, y);
    }
    context.globalAlpha = 1;
  }
}

function drawBubble(context: CanvasRenderingContext2D, camera: Camera, at: Vec2, bubble: Bubble, alpha: number): void {
  const { pixelRatio } = camera;
  const size = 13 * pixelRatio;
  context.font = `${size}px system-ui, sans-serif`;
  const width = Math.max(...bubble.lines.map((text) => context.measureText(text).width)) + size * 1.5;
  const height = bubble.lines.length * size * 1.3 + size * 0.7;
  const x = camera.toScreenX(at.x);
  const bottom = camera.toScreenY(at.y) - 16 * pixelRatio;
  context.globalAlpha = alpha;
  context.fillStyle = "rgba(255, 253, 246, 0.94)";
  context.beginPath();
  context.roundRect(x - width / 2, bottom - height, width, height, size * 0.8);
  context.moveTo(x - size * 0.45, bottom);
  context.lineTo(x, bottom + size * 0.5);
  context.lineTo(x + size * 0.45, bottom);
  context.fill();
  context.fillStyle = "#24313a";
  bubble.lines.forEach((text, index) => context.fillText(text, x, bottom - height + size * (1.35 + index * 1.3)));
  context.globalAlpha = 1;
}

/** Breaks a text into lines of about `columns` characters. */
function wrap(text: string, columns: number): string[] {
  const lines: string[] = [""];
  for (const word of text.split(/\s+/)) {
    for (let at = 0; at < word.length; at += columns) {
      const part = word.slice(at, at + columns);
      const last = lines[lines.length - 1]!;
      if (last === "") lines[lines.length - 1] = part;
      else if (last.length + part.length < columns) lines[lines.length - 1] = `${last} ${part}`;
      else lines.push(part);
    }
  }
  return lines.slice(0, 6);
}
