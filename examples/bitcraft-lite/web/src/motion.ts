/** What drawing needs to remember of each entity: where it was, which way it faces, how far it has walked. */

import type { EntityId } from "@evertick/client";

import { STEPS } from "./figures.ts";

/** Metres a second from which something counts as walking. */
const WALKING = 0.25;

export interface Figure {
  x: number;
  y: number;
  left: boolean;
  /** Metres walked, for the legs. */
  walked: number;
  walking: boolean;
  /** Seconds since it appeared, for fading in. */
  age: number;
  /** The picture in which it was last seen. */
  seen: number;
}

/** Figures of all that is drawn. */
export class Figures {
  private readonly known = new Map<EntityId, Figure>();
  private picture = 0;

  /** Moves an entity's figure to where it is now. */
  move(entity: EntityId, x: number, y: number, seconds: number): Figure {
    let figure = this.known.get(entity);
    if (!figure) {
      figure = { x, y, left: entity % 2n === 0n, walked: 0, walking: false, age: 0, seen: 0 };
      this.known.set(entity, figure);
    }
    const dx = x - figure.x;
    const meters = Math.hypot(dx, y - figure.y);
    figure.walking = seconds > 0 && meters / seconds > WALKING;
    if (figure.walking && Math.abs(dx) > meters * 0.15) figure.left = dx < 0;
    figure.walked = figure.walking ? figure.walked + meters : 0;
    figure.age += seconds;
    figure.x = x;
    figure.y = y;
    figure.seen = this.picture;
    return figure;
  }

  /** Where an entity was last drawn. */
  get(entity: EntityId): Figure | undefined {
    return this.known.get(entity);
  }

  /** Ends a picture: forgets who was not in it for a while. */
  sweep(): void {
    this.picture++;
    if (this.picture % 120 !== 0) return;
    for (const [entity, figure] of this.known) if (this.picture - figure.seen > 120) this.known.delete(entity);
  }
}

/** The step of the walk that a figure is in. */
export function stepOf(figure: Figure, stride: number): number {
  return figure.walking ? Math.floor((figure.walked / stride) * STEPS) % STEPS : 0;
}
