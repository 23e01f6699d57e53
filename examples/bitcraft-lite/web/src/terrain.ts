/** The island's chunks that are in sight, and their pictures. */

import type { Client, EntityId } from "@evertick/client";

import type { Camera } from "./camera.ts";
import { Chunk, Position, WorldInfo } from "./generated/bitcraft.ts";
import { paintChunk, type Samples } from "./ground.ts";
import { makeWaves } from "./waves.ts";

interface Tile {
  readonly chunk: Readonly<Chunk>;
  /** The edge in metres. */
  readonly edge: number;
  picture: HTMLCanvasElement | null;
  /** Whether the picture is older than its neighbours. */
  stale: boolean;
}

/** How long painting may take in one picture, in milliseconds. */
const PAINT_MS = 6;

export class Terrain {
  private readonly tiles = new Map<string, Tile>();
  private readonly waves = makeWaves();
  private readonly client: Client;

  constructor(client: Client) {
    this.client = client;
    const add = (entity: EntityId, chunk: Readonly<Chunk>) => {
      const center = client.get(Position, entity)?.at.x ?? 0;
      this.tiles.set(key(chunk.x, chunk.y), { chunk, edge: center / (chunk.x + 0.5), picture: null, stale: true });
      this.repaintAround(chunk);
    };
    client.onInsert(Chunk, add);
    client.onUpdate(Chunk, add);
    client.onRemove(Chunk, (_, chunk) => this.tiles.delete(key(chunk.x, chunk.y)));
    for (const [entity, chunk] of client.query(Chunk)) add(entity, chunk);
  }

  /** How many chunks are known, and how many of them are painted. */
  get counts(): { known: number; painted: number } {
    const tiles = [...this.tiles.values()];
    return { known: tiles.length, painted: tiles.filter((tile) => tile.picture !== null).length };
  }

  draw(context: CanvasRenderingContext2D, camera: Camera, seconds: number): void {
    this.paint(camera);
    this.waves.draw(context, camera, seconds);
    context.imageSmoothingEnabled = true;
    for (const { chunk, edge, picture } of this.tiles.values()) {
      if (!picture) continue;
      // Whole pixels: between tiles that end between pixels, the water would shine through.
      const left = Math.round(camera.toScreenX(chunk.x * edge));
      const top = Math.round(camera.toScreenY(chunk.y * edge));
      const right = Math.round(camera.toScreenX((chunk.x + 1) * edge));
      const bottom = Math.round(camera.toScreenY((chunk.y + 1) * edge));
      if (right < 0 || bottom < 0 || left > camera.width || top > camera.height) continue;
      context.drawImage(picture, left, top, right - left, bottom - top);
    }
  }

  /** Paints the nearest unpainted chunks, as far as there is time. */
  private paint(camera: Camera): void {
    const world = this.client.resource(WorldInfo);
    if (!world) return; // it arrives with the first frame
    const end = performance.now() + PAINT_MS;
    const distance = ({ chunk, edge }: Tile) =>
      Math.hypot((chunk.x + 0.5) * edge - camera.center.x, (chunk.y + 0.5) * edge - camera.center.y);
    const waiting = [...this.tiles.values()].filter((tile) => tile.stale).sort((a, b) => distance(a) - distance(b));
    for (const tile of waiting) {
      const { chunk } = tile;
      tile.picture = paintChunk(this.samples(chunk), world.sea_level * 255, chunk.x, chunk.y);
      tile.stale = false;
      if (performance.now() > end) break;
    }
  }

  /** A new chunk changes the borders of its neighbours. */
  private repaintAround({ x, y }: Chunk): void {
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) {
        const tile = this.tiles.get(key(x + dx, y + dy));
        if (tile) tile.stale = true;
      }
    }
  }

  private samples(chunk: Readonly<Chunk>): Samples {
    const { size } = chunk;
    const pick = (column: number, row: number, of: "heights" | "biomes"): number => {
      const dx = Math.floor(column / size);
      const dy = Math.floor(row / size);
      const there = this.tiles.get(key(chunk.x + dx, chunk.y + dy))?.chunk;
      if (there) return there[of][(row - dy * size) * size + (column - dx * size)] ?? 0;
      const clamp = (value: number) => Math.max(0, Math.min(size - 1, value));
      return chunk[of][clamp(row) * size + clamp(column)] ?? 0;
    };
    return {
      size,
      height: (column, row) => pick(column, row, "heights"),
      biome: (column, row) => pick(column, row, "biomes"),
    };
  }
}

function key(x: number, y: number): string {
  return `${x},${y}`;
}
