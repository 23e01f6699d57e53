/** One chunk of the island as a picture: biomes, hill-shading, shore and depth. */

import { hash, patches } from "./noise.ts";

/** Pixels along the edge of a chunk's picture. */
export const TILE = 256;

/** Colours of the biomes: water's bed, beach, meadow, forest, rock, snow. */
const BIOMES: readonly (readonly [number, number, number])[] = [
  [214, 196, 148],
  [226, 208, 160],
  [164, 188, 120],
  [116, 154, 102],
  [150, 146, 140],
  [238, 242, 245],
];

/** Height between two of the faint contour lines. */
const CONTOUR = 9;

const DEEP = [38, 92, 122] as const;
const SHALLOW = [104, 178, 184] as const;

/** Samples around a point, across the borders of chunks. */
export interface Samples {
  /** Samples along a chunk's edge. */
  readonly size: number;
  /** 0 to 255. Column and row may be beyond the chunk. */
  height(column: number, row: number): number;
  biome(column: number, row: number): number;
}

/** Paints the chunk in column `column` and row `row` of the world. `seaLevel` is in units of heights. Cost: some 10 ms. */
export function paintChunk(samples: Samples, seaLevel: number, column: number, row: number): HTMLCanvasElement {
  const seed = column * 131 + row;
  const left = column * TILE;
  const top = row * TILE;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = TILE;
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(TILE, TILE);
  const fields = smooth(samples);
  const stride = TILE + 2;
  for (let y = 0; y < TILE; y++) {
    for (let x = 0; x < TILE; x++) {
      const at = (y + 1) * stride + x + 1;
      const height = fields[0]![at]!;
      const out = (y * TILE + x) * 4;
      if (height < seaLevel) paintWater(image.data, out, (seaLevel - height) / seaLevel);
      else {
        const slopeX = fields[0]![at + 1]! - fields[0]![at - 1]!;
        const slopeY = fields[0]![at + stride]! - fields[0]![at - stride]!;
        const grain = (hash(seed, x, y) - 0.5) * 0.05 + (patches(left + x, top + y) - 0.5) * 0.06;
        const wet = Math.max(0, 1 - (height - seaLevel) / 2.2) * 0.14;
        const slope = -slopeX - slopeY * 1.25;
        const contour = Math.abs(((height / CONTOUR) % 1) - 0.5) > 0.47 ? 0.035 : 0;
        const light = 0.99 + (slope > 0 ? 0.14 : 0.24) * Math.tanh(slope * 0.9) + grain - wet - contour;
        for (let channel = 0; channel < 3; channel++) image.data[out + channel] = fields[channel + 1]![at]! * light;
        image.data[out + 3] = 255;
      }
    }
  }
  context.putImageData(image, 0, 0);
  paintTufts(context, samples, fields[0]!, seaLevel, seed);
  return canvas;
}

/** Water lets the waves below show through, the more the shallower it is; foam where it meets the land. */
function paintWater(data: Uint8ClampedArray, out: number, depth: number): void {
  const deep = Math.min(1, depth * 2.6);
  const foam = Math.max(0, 1 - depth * 60);
  for (let channel = 0; channel < 3; channel++) {
    const water = SHALLOW[channel]! + (DEEP[channel]! - SHALLOW[channel]!) * deep;
    data[out + channel] = water + (244 - water) * foam * 0.7;
  }
  data[out + 3] = 255 * (0.5 + 0.28 * deep + 0.22 * foam);
}

/** Blades of grass, flowers, ferns and pebbles, each where it belongs. */
function paintTufts(context: CanvasRenderingContext2D, samples: Samples, heights: Float32Array, seaLevel: number, seed: number): void {
  context.lineWidth = 0.7;
  context.lineCap = "round";
  for (let index = 0; index < 420; index++) {
    // Not so near the edge that it would be cut off there.
    const x = 4 + hash(seed + 7, index, 0) * (TILE - 8);
    const y = 5 + hash(seed + 7, index, 1) * (TILE - 6);
    if (heights[(Math.floor(y) + 1) * (TILE + 2) + Math.floor(x) + 1]! < seaLevel + 3) continue;
    const biome = samples.biome(Math.floor((x * samples.size) / TILE), Math.floor((y * samples.size) / TILE));
    if (biome === 2 && index % 5 === 0) {
      context.fillStyle = FLOWERS[index % FLOWERS.length]!;
      context.fillRect(x, y, 1.3, 1.3);
    } else if (biome === 2) {
      blades(context, x, y, 2.2, "rgba(98, 132, 66, 0.42)");
    } else if (biome === 3) {
      blades(context, x, y, index % 3 === 0 ? 3.6 : 2.4, "rgba(54, 94, 60, 0.42)");
    } else if (index % 3 === 0 && (biome === 1 || biome === 4)) {
      context.fillStyle = biome === 1 ? "rgba(150, 132, 98, 0.5)" : "rgba(96, 94, 92, 0.5)";
      context.beginPath();
      context.ellipse(x, y, 1.5, 1, 0, 0, Math.PI * 2);
      context.fill();
    }
  }
}

const FLOWERS = ["#f6ecb4", "#ecc3d0", "#fbf8f0"];

function blades(context: CanvasRenderingContext2D, x: number, y: number, height: number, color: string): void {
  context.strokeStyle = color;
  context.beginPath();
  for (const lean of [-0.7, 0.1, 0.8]) {
    context.moveTo(x, y);
    context.lineTo(x + lean * height * 0.8, y - height * (1.1 - Math.abs(lean) * 0.3));
  }
  context.stroke();
}

/** Height, red, green and blue of every pixel and a border of one, by cubic B-splines over the samples. */
function smooth(samples: Samples): Float32Array[] {
  const { size } = samples;
  const grid = size + 4;
  const stride = TILE + 2;
  const sources = Array.from({ length: 4 }, () => new Float32Array(grid * grid));
  for (let row = 0; row < grid; row++) {
    for (let column = 0; column < grid; column++) {
      const color = BIOMES[samples.biome(column - 2, row - 2)] ?? BIOMES[2]!;
      const values = [samples.height(column - 2, row - 2), ...color];
      values.forEach((value, channel) => (sources[channel]![row * grid + column] = value));
    }
  }
  return sources.map((source) => {
    // Along rows, then along columns: the spline is separable.
    const across = new Float32Array(grid * stride);
    for (let x = 0; x < stride; x++) {
      const [first, weights] = spline(x, size);
      for (let row = 0; row < grid; row++) {
        let sum = 0;
        for (let tap = 0; tap < 4; tap++) sum += weights[tap]! * source[row * grid + first + tap]!;
        across[row * stride + x] = sum;
      }
    }
    const all = new Float32Array(stride * stride);
    for (let y = 0; y < stride; y++) {
      const [first, weights] = spline(y, size);
      for (let x = 0; x < stride; x++) {
        let sum = 0;
        for (let tap = 0; tap < 4; tap++) sum += weights[tap]! * across[(first + tap) * stride + x]!;
        all[y * stride + x] = sum;
      }
    }
    return all;
  });
}

/** The first of the four samples around pixel `pixel - 1`, and their weights. */
function spline(pixel: number, size: number): [number, number[]] {
  const at = ((pixel - 0.5) * size) / TILE - 0.5 + 2;
  const cell = Math.floor(at);
  const t = at - cell;
  const s = 1 - t;
  const weights = [s * s * s, 4 - 6 * t * t + 3 * t * t * t, 4 - 6 * s * s + 3 * s * s * s, t * t * t];
  return [cell - 1, weights.map((weight) => weight / 6)];
}
