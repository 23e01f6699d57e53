/** How creatures and players look. They face right; who goes left is mirrored. */

import { blob, line, polygon, type Sprite, type Sprites } from "./sprites.ts";

/** Figures are drawn a little larger than life, to be seen. */
const LARGER = 1.3;

/** Steps of a walk that are drawn. */
export const STEPS = 4;

/** The radius of a creature's shadow in metres. */
export function creatureRadius(kind: number): number {
  return [0.42, 0.7, 0.62, 0.75][kind % 4]!;
}

/** The picture of a creature in step `step` of its walk. */
export function creatureSprite(sprites: Sprites, kind: number, step: number, left: boolean): Sprite {
  return sprites.get(`creature-${kind}-${step}-${left}`, 2.4 * LARGER, 2 * LARGER, 0.3, (context) => {
    context.scale(left ? -LARGER : LARGER, LARGER);
    const swing = Math.sin((step / STEPS) * Math.PI * 2);
    [rabbit, sheep, fox, deer][kind % 4]!(context, swing);
  });
}

function legs(context: CanvasRenderingContext2D, color: string, width: number, height: number, swing: number, ...xs: number[]): void {
  xs.forEach((x, index) => {
    const forward = (index % 2 === 0 ? swing : -swing) * height * 0.35;
    line(context, color, width, x, -height, x + forward, 0);
  });
}

function rabbit(context: CanvasRenderingContext2D, swing: number): void {
  context.translate(0, -Math.abs(swing) * 0.16);
  blob(context, -0.05, -0.26, 0.36, 0.25, "#c9b49a");
  blob(context, -0.4, -0.28, 0.1, 0.1, "#f5efe6");
  blob(context, 0.3, -0.44, 0.2, 0.18, "#d6c3aa");
  context.save();
  context.translate(0.24, -0.56);
  context.rotate(-0.35);
  blob(context, 0, -0.18, 0.065, 0.22, "#c9b49a");
  context.rotate(0.4);
  blob(context, 0.03, -0.18, 0.065, 0.22, "#dccab3");
  context.restore();
  blob(context, 0.38, -0.47, 0.03, 0.03, "#2f2a26");
}

function sheep(context: CanvasRenderingContext2D, swing: number): void {
  legs(context, "#4b443f", 0.12, 0.36, swing, -0.34, -0.14, 0.16, 0.34);
  blob(context, 0, -0.62, 0.6, 0.38, "#e9e4d8");
  for (const [x, y] of [[-0.4, -0.78], [-0.1, -0.92], [0.25, -0.84], [-0.5, -0.52], [0.42, -0.58]] as const) {
    blob(context, x, y, 0.24, 0.2, "#f5f1e7");
  }
  blob(context, 0.62, -0.72, 0.19, 0.23, "#544c46");
  blob(context, 0.67, -0.78, 0.035, 0.035, "#f5f1e7");
  blob(context, 0.48, -0.9, 0.14, 0.08, "#f5f1e7");
}

function fox(context: CanvasRenderingContext2D, swing: number): void {
  blob(context, -0.68, -0.42 + swing * 0.04, 0.34, 0.14, "#c9713a");
  blob(context, -0.95, -0.42 + swing * 0.04, 0.12, 0.09, "#f6ead8");
  legs(context, "#5b3a2a", 0.1, 0.34, swing, -0.32, -0.16, 0.2, 0.34);
  blob(context, 0, -0.48, 0.46, 0.22, "#d9803f");
  polygon(context, "#d9803f", 0.3, -0.74, 0.36, -0.98, 0.48, -0.78, 0.56, -0.98, 0.64, -0.72);
  blob(context, 0.48, -0.66, 0.22, 0.18, "#d9803f");
  polygon(context, "#f6ead8", 0.5, -0.62, 0.84, -0.56, 0.52, -0.5);
  blob(context, 0.82, -0.57, 0.04, 0.04, "#2f2a26");
  blob(context, 0.54, -0.7, 0.03, 0.03, "#2f2a26");
}

function deer(context: CanvasRenderingContext2D, swing: number): void {
  legs(context, "#7b5638", 0.1, 0.66, swing, -0.42, -0.26, 0.28, 0.42);
  blob(context, 0, -0.86, 0.56, 0.27, "#a9774c");
  blob(context, -0.02, -0.74, 0.42, 0.14, "#c79b71");
  blob(context, -0.56, -0.92, 0.08, 0.1, "#f1e3cf");
  line(context, "#a9774c", 0.24, 0.42, -0.92, 0.62, -1.3);
  blob(context, 0.7, -1.36, 0.2, 0.14, "#b5835a");
  blob(context, 0.86, -1.33, 0.04, 0.04, "#2f2a26");
  blob(context, 0.71, -1.41, 0.03, 0.03, "#2f2a26");
  line(context, "#6b4a31", 0.06, 0.6, -1.46, 0.5, -1.78, 0.38, -1.86);
  line(context, "#6b4a31", 0.06, 0.54, -1.66, 0.68, -1.84);
}

/** The picture of a player in a tunic of `color`. `work` is from 0 (idle) to 1 (arm down). */
export function playerSprite(sprites: Sprites, color: number, step: number, left: boolean, work: number): Sprite {
  const arm = Math.round(work * 3);
  return sprites.get(`player-${color}-${step}-${left}-${arm}`, 3 * LARGER, 2.4 * LARGER, 0.4, (context) => {
    context.scale(left ? -LARGER : LARGER, LARGER);
    const swing = Math.sin((step / STEPS) * Math.PI * 2);
    const tunic = `#${color.toString(16).padStart(6, "0")}`;
    legs(context, "#4a4f63", 0.2, 0.6, swing, -0.14, 0.14);
    context.translate(0, -Math.abs(swing) * 0.05);
    line(context, shade(color, 0.78), 0.18, -0.26, -1.16, -0.36 - swing * 0.12, -0.76);
    context.fillStyle = tunic;
    context.beginPath();
    context.roundRect(-0.34, -1.34, 0.68, 0.86, [0.3, 0.3, 0.16, 0.16]);
    context.fill();
    context.fillStyle = "rgba(30, 30, 40, 0.18)";
    context.fillRect(-0.34, -0.72, 0.68, 0.1);
    blob(context, 0.02, -1.62, 0.33, 0.33, "#f0cfae");
    context.fillStyle = "#5d4433";
    context.beginPath();
    context.arc(0, -1.68, 0.34, Math.PI * 0.86, Math.PI * 1.98);
    context.fill();
    blob(context, 0.14, -1.58, 0.035, 0.05, "#2f2a26");
    blob(context, 0.28, -1.58, 0.03, 0.05, "#2f2a26");
    const angle = arm === 0 ? 0.5 + swing * 0.3 : 2.3 - arm * 0.75;
    const hand = [0.24 + Math.sin(angle) * 0.5, -1.14 + Math.cos(angle) * 0.5] as const;
    line(context, shade(color, 0.9), 0.18, 0.24, -1.14, ...hand);
    blob(context, ...hand, 0.1, 0.1, "#f0cfae");
    if (arm > 0) {
      line(context, "#7a5c43", 0.09, ...hand, hand[0] + Math.sin(angle + 0.6) * 0.6, hand[1] + Math.cos(angle + 0.6) * 0.6);
      blob(context, hand[0] + Math.sin(angle + 0.6) * 0.62, hand[1] + Math.cos(angle + 0.6) * 0.62, 0.15, 0.11, "#a9b0b6");
    }
  });
}

/** A colour made darker. */
function shade(color: number, factor: number): string {
  const part = (shift: number) => Math.round(((color >> shift) & 0xff) * factor);
  return `rgb(${part(16)}, ${part(8)}, ${part(0)})`;
}
