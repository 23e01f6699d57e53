/** Pictures of things that look alike: drawn once for a scale, then copied. */

/** A picture with its foot: the point that stands on the ground. */
export interface Sprite {
  readonly picture: HTMLCanvasElement;
  /** Metres from the foot to the left and the top edge. */
  readonly left: number;
  readonly top: number;
  /** Size in metres. */
  readonly width: number;
  readonly height: number;
}

/** Draws in metres, the foot at the origin, y down. */
export type Drawing = (context: CanvasRenderingContext2D) => void;

/** Keeps sprites for the present scale. */
export class Sprites {
  private readonly known = new Map<string, Sprite>();
  private scale = 0;

  /** Forgets what was drawn for a scale that is no longer near. */
  rescale(scale: number): void {
    // A sprite may be stretched a little, so that zooming does not redraw all of them in every picture.
    if (this.scale > 0 && Math.abs(Math.log(scale / this.scale)) < 0.2) return;
    this.scale = scale;
    this.known.clear();
  }

  /** The sprite called `name`, `width` × `height` metres with the foot in the middle of the bottom, `below` above it. */
  get(name: string, width: number, height: number, below: number, draw: Drawing): Sprite {
    const known = this.known.get(name);
    if (known) return known;
    const picture = document.createElement("canvas");
    picture.width = Math.max(1, Math.ceil(width * this.scale));
    picture.height = Math.max(1, Math.ceil((height + below) * this.scale));
    const context = picture.getContext("2d")!;
    context.scale(this.scale, this.scale);
    context.translate(width / 2, height);
    context.lineCap = context.lineJoin = "round";
    draw(context);
    const sprite = { picture, left: width / 2, top: height, width, height: height + below };
    this.known.set(name, sprite);
    return sprite;
  }
}

/** A filled ellipse. */
export function blob(context: CanvasRenderingContext2D, x: number, y: number, rx: number, ry: number, color: string): void {
  context.fillStyle = color;
  context.beginPath();
  context.ellipse(x, y, rx, ry, 0, 0, Math.PI * 2);
  context.fill();
}

/** A filled polygon of x, y pairs. */
export function polygon(context: CanvasRenderingContext2D, color: string, ...points: number[]): void {
  context.fillStyle = color;
  context.beginPath();
  for (let index = 0; index < points.length; index += 2) context.lineTo(points[index]!, points[index + 1]!);
  context.fill();
}

/** A line of x, y pairs. */
export function line(context: CanvasRenderingContext2D, color: string, width: number, ...points: number[]): void {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.beginPath();
  for (let index = 0; index < points.length; index += 2) context.lineTo(points[index]!, points[index + 1]!);
  context.stroke();
}
