/** The sea's surface: two layers of soft strokes that drift apart. */

import type { Camera } from "./camera.ts";
import { hash } from "./noise.ts";

const EDGE = 256;
const METERS = 32;

export interface Waves {
  draw(context: CanvasRenderingContext2D, camera: Camera, seconds: number): void;
}

export function makeWaves(): Waves {
  const strokes = document.createElement("canvas");
  strokes.width = strokes.height = EDGE;
  const context = strokes.getContext("2d")!;
  context.strokeStyle = "rgba(255, 255, 255, 0.16)";
  context.lineCap = "round";
  for (let index = 0; index < 34; index++) {
    const x = hash(1, index, 0) * EDGE;
    const y = hash(1, index, 1) * EDGE;
    const length = 10 + hash(1, index, 2) * 22;
    context.lineWidth = 1 + hash(1, index, 3) * 1.4;
    // Strokes across the edge appear on the other side too, so that the pattern has no seam.
    for (const [dx, dy] of [[0, 0], [EDGE, 0], [-EDGE, 0], [0, EDGE], [0, -EDGE]] as const) {
      context.beginPath();
      context.moveTo(x + dx, y + dy);
      context.quadraticCurveTo(x + dx + length / 2, y + dy - 3, x + dx + length, y + dy);
      context.stroke();
    }
  }
  let pattern: CanvasPattern | null = null;
  return {
    draw(target, camera, seconds) {
      target.fillStyle = "#4f93a8";
      target.fillRect(0, 0, camera.width, camera.height);
      pattern ??= target.createPattern(strokes, "repeat");
      if (!pattern) return;
      const scale = (METERS * camera.scale) / EDGE;
      for (const layer of [0, 1]) {
        const drift = seconds * (layer === 0 ? 0.5 : -0.35);
        const x = camera.toScreenX(drift + layer * 11);
        const y = camera.toScreenY(Math.sin(seconds * 0.7 + layer * 2) * 0.4 + layer * 7);
        pattern.setTransform(new DOMMatrix([scale, 0, 0, scale, x, y]));
        target.fillStyle = pattern;
        target.fillRect(0, 0, camera.width, camera.height);
      }
    },
  };
}
