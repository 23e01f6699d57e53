/** How trees, boulders and bushes look, full and bare. */

import { blob, line, polygon, type Sprite, type Sprites } from "./sprites.ts";

/** What is known of a kind of node, for the page. */
export interface NodeLook {
  readonly name: string;
  /** Radius of the shadow, and of the area that a click hits, in metres. */
  readonly radius: number;
  readonly height: number;
}

const LOOKS: readonly NodeLook[] = [
  { name: "Tree", radius: 1.15, height: 4.2 },
  { name: "Boulder", radius: 1.05, height: 1.3 },
  { name: "Berry bush", radius: 0.95, height: 1.3 },
];

/** The look of a kind. */
export function nodeLook(kind: number): NodeLook {
  return LOOKS[kind] ?? LOOKS[1]!;
}

/** The picture of a node; `variant` is any number that stays the same. */
export function nodeSprite(sprites: Sprites, kind: number, charges: number, variant: number): Sprite {
  const bare = charges === 0;
  if (kind === 0) return tree(sprites, bare, variant % 4);
  if (kind === 1) return boulder(sprites, bare, variant % 3);
  return bush(sprites, Math.min(charges, 3), variant % 2);
}

const LEAVES = [
  ["#4c7f4f", "#5f9a5b", "#7bb46c"],
  ["#58873f", "#6fa24e", "#8fbd63"],
  ["#3f6f56", "#4f8865", "#68a179"],
  ["#3b6b52", "#48805f", "#5d9871"],
] as const;

function tree(sprites: Sprites, bare: boolean, variant: number): Sprite {
  return sprites.get(`tree-${bare}-${variant}`, 4, 5, 0.4, (context) => {
    if (bare) {
      polygon(context, "#7a5c43", -0.34, 0.1, -0.26, -0.42, 0.26, -0.42, 0.34, 0.1);
      blob(context, 0, -0.42, 0.27, 0.13, "#cfae84");
      blob(context, 0, -0.42, 0.14, 0.065, "#b48f63");
      return;
    }
    const [dark, middle, light] = LEAVES[variant]!;
    polygon(context, "#6f523b", -0.2, 0.08, -0.13, -1.6, 0.13, -1.6, 0.2, 0.08);
    if (variant >= 2) {
      for (const [y, half, color] of [[-0.9, 1.15, dark], [-1.9, 0.95, middle], [-2.9, 0.7, middle]] as const) {
        polygon(context, color, -half, y, 0, y - 1.7, half, y);
        polygon(context, light, -half * 0.72, y - 0.22, 0, y - 1.7, -half * 0.12, y - 0.22);
      }
      return;
    }
    blob(context, 0, -2.1, 1.35, 1.1, dark);
    blob(context, -0.5, -2.6, 0.95, 0.85, middle);
    blob(context, 0.55, -2.5, 0.8, 0.75, middle);
    blob(context, -0.1, -3.2, 0.9, 0.8, middle);
    blob(context, -0.42, -3.35, 0.55, 0.42, light);
    blob(context, -0.75, -2.6, 0.35, 0.26, light);
  });
}

function boulder(sprites: Sprites, bare: boolean, variant: number): Sprite {
  return sprites.get(`boulder-${bare}-${variant}`, 3, 2, 0.4, (context) => {
    const [dark, middle, light] = [["#7d8388", "#9aa0a4", "#bfc4c6"], ["#847f7a", "#a19b94", "#c6c0b8"], ["#767e86", "#929ba3", "#b5bec5"]][variant]!;
    if (bare) {
      for (const [x, y, size] of [[-0.6, 0, 0.28], [0.1, 0.1, 0.34], [0.65, -0.02, 0.22], [-0.15, -0.18, 0.2]] as const) {
        blob(context, x, y, size, size * 0.7, dark!);
        blob(context, x - size * 0.2, y - size * 0.2, size * 0.6, size * 0.38, middle!);
      }
      return;
    }
    polygon(context, dark!, -1.05, 0.12, -0.95, -0.6, -0.35, -1.15, 0.45, -1.05, 1.02, -0.45, 1, 0.1, 0.3, 0.26, -0.6, 0.26);
    polygon(context, middle!, -0.95, -0.6, -0.35, -1.15, 0.45, -1.05, 0.3, -0.5, -0.4, -0.35);
    polygon(context, light!, -0.35, -1.15, 0.45, -1.05, 0.3, -0.72, -0.3, -0.8);
    line(context, "rgba(60, 64, 70, 0.35)", 0.05, 0.3, -0.5, 0.42, -0.1, 0.3, 0.2);
  });
}

function bush(sprites: Sprites, berries: number, variant: number): Sprite {
  return sprites.get(`bush-${berries}-${variant}`, 2.6, 1.8, 0.4, (context) => {
    const [dark, middle, light] = variant === 0 ? ["#557f45", "#6d9a55", "#8bb46b"] : ["#4f7d55", "#659465", "#86b07d"];
    blob(context, 0, -0.32, 1, 0.55, dark!);
    blob(context, -0.4, -0.6, 0.55, 0.46, middle!);
    blob(context, 0.38, -0.58, 0.52, 0.44, middle!);
    blob(context, -0.05, -0.8, 0.5, 0.4, middle!);
    blob(context, -0.25, -0.92, 0.3, 0.2, light!);
    const places = [[-0.5, -0.5], [0.3, -0.75], [0.05, -0.3], [-0.1, -0.85], [0.62, -0.4], [-0.25, -0.15], [0.4, -0.2], [-0.7, -0.2], [0.1, -0.58]] as const;
    for (const [x, y] of places.slice(0, berries * 3)) {
      blob(context, x, y, 0.12, 0.12, "#c23c55");
      blob(context, x - 0.03, y - 0.04, 0.04, 0.04, "#f0a3ad");
    }
  });
}
