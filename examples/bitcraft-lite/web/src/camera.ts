/** What part of the world is on the screen. World units are metres; screen units are device pixels. */

import type { Vec2 } from "@evertick/client";

const ZOOM_MIN = 5;
const ZOOM_MAX = 26;

export class Camera {
  readonly center: Vec2 = { x: 0, y: 0 };
  /** Device pixels of the canvas. */
  width = 0;
  height = 0;
  /** CSS pixels per metre, as wished and as drawn. */
  private wanted = 15;
  private zoom = 15;
  private ratio = 1;
  private placed = false;

  /** Device pixels per metre. */
  get scale(): number {
    return this.zoom * this.ratio;
  }

  /** Device pixels per CSS pixel. */
  get pixelRatio(): number {
    return this.ratio;
  }

  /** Fits the canvas to its element. */
  fit(canvas: HTMLCanvasElement): void {
    this.ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.width = Math.round(canvas.clientWidth * this.ratio);
    this.height = Math.round(canvas.clientHeight * this.ratio);
    if (canvas.width !== this.width || canvas.height !== this.height) {
      canvas.width = this.width;
      canvas.height = this.height;
    }
  }

  /** Zooms by a notch of the wheel. */
  zoomBy(notches: number): void {
    this.wanted = Math.min(ZOOM_MAX, Math.max(ZOOM_MIN, this.wanted * 1.12 ** notches));
  }

  /** Moves towards `target`, at once the first time. */
  follow(target: Vec2, seconds: number): void {
    const far = Math.hypot(target.x - this.center.x, target.y - this.center.y) > 60;
    const share = this.placed && !far ? 1 - Math.exp(-seconds * 9) : 1;
    this.placed = true;
    this.center.x += (target.x - this.center.x) * share;
    this.center.y += (target.y - this.center.y) * share;
    this.zoom += (this.wanted - this.zoom) * (1 - Math.exp(-seconds * 12));
    if (Math.abs(this.zoom - this.wanted) < 0.01) this.zoom = this.wanted;
  }

  toScreenX(x: number): number {
    return (x - this.center.x) * this.scale + this.width / 2;
  }

  toScreenY(y: number): number {
    return (y - this.center.y) * this.scale + this.height / 2;
  }

  /** The point of the world under a mouse position in CSS pixels. */
  toWorld(clientX: number, clientY: number): Vec2 {
    return {
      x: (clientX * this.ratio - this.width / 2) / this.scale + this.center.x,
      y: (clientY * this.ratio - this.height / 2) / this.scale + this.center.y,
    };
  }

  /** Whether a point is on the screen, or less than `margin` metres beside it. */
  sees(x: number, y: number, margin: number): boolean {
    const halfWidth = this.width / 2 / this.scale + margin;
    const halfHeight = this.height / 2 / this.scale + margin;
    return Math.abs(x - this.center.x) < halfWidth && Math.abs(y - this.center.y) < halfHeight;
  }
}
