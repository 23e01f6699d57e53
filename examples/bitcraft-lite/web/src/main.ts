/** The page: asks for a name, connects, and connects again when the connection is lost. */

import { type ClientStats, connect, ConnectionClosed, type Vec2 } from "@evertick/client";

import { type Counts, Game, type NodeInSight } from "./game.ts";
import { join, module } from "./generated/bitcraft.ts";
import { element, Hud } from "./hud.ts";

/** What tests and the curious reach from the console. Entity ids are decimal texts here. */
interface EvertickHandle {
  /** Our player. */
  readonly me: string | null;
  /** Where an entity is, in metres, as the server last said; without one, where our player is. */
  position(entity?: string): Vec2 | null;
  /** What can be gathered from in sight, the nearest first. */
  nodes(): NodeInSight[];
  stats(): ClientStats | null;
  counts(): Counts | null;
  /** Ends the connection, as if it were lost. */
  disconnect(): void;
}

declare global {
  interface Window {
    evertick: EvertickHandle;
  }
}

const RETRY_SECONDS = 5;

const parameters = new URLSearchParams(location.search);
const server = parameters.get("server") ?? `ws://${location.hostname || "localhost"}:7778`;
// `?transport=WebSocket` never tries WebTransport.
const transport = parameters.get("transport") === "WebSocket" ? "WebSocket" : "best";
// `?as=anything` makes this tab another player than the other tabs.
const role = parameters.get("as") ?? "";

const hud = new Hud();
const canvas = element<HTMLCanvasElement>("world");
let game: Game | null = null;

window.evertick = {
  get me() {
    return game ? String(game.me) : null;
  },
  position: (entity) => game?.position(entity === undefined ? game.me : BigInt(entity)) ?? null,
  nodes: () => game?.nodes() ?? [],
  stats: () => game?.stats() ?? null,
  counts: () => game?.counts() ?? null,
  disconnect: () => game?.client.close(),
};

/** The secret that tells the server who we are, made on the first visit. */
function token(): string {
  const key = `evertick.token.${role}`;
  const known = localStorage.getItem(key);
  if (known !== null) return known;
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  const made = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  localStorage.setItem(key, made);
  return made;
}

async function enter(name: string): Promise<void> {
  const client = await connect({ url: server, module, token: token(), transport });
  try {
    const me = await client.call(join, { name });
    localStorage.setItem(`evertick.name.${role}`, name);
    game = new Game(client, me, canvas, hud);
  } catch (error) {
    client.close();
    throw error;
  }
  element("welcome").hidden = true;
  element("lost").hidden = true;
  hud.show(true);
  void client.closed.then((reason) => leave(name, reason));
}

/** The connection is over: says so, and tries again. */
function leave(name: string, reason: Error): void {
  game?.stop();
  game = null;
  hud.show(false);
  element("lost-reason").textContent = reason.message;
  element("lost").hidden = false;
  let seconds = RETRY_SECONDS;
  const retry = () => {
    clearInterval(timer);
    element("lost-countdown").textContent = "Connecting…";
    enter(name).catch((error: Error) => leave(name, error));
  };
  const count = () => {
    element("lost-countdown").textContent = `Trying again in ${seconds} s`;
    if (seconds-- <= 0) retry();
  };
  const timer = setInterval(count, 1000);
  count();
  element("reconnect").onclick = retry;
}

element<HTMLFormElement>("join").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = element<HTMLInputElement>("name").value.trim();
  const button = element<HTMLButtonElement>("enter");
  const problem = element("join-error");
  if (name === "" || button.disabled) return;
  button.disabled = true;
  problem.textContent = "";
  enter(name)
    .catch((error: Error) => {
      problem.textContent = error instanceof ConnectionClosed ? `${error.message}.` : error.message;
    })
    .finally(() => (button.disabled = false));
});

element<HTMLFormElement>("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = element<HTMLInputElement>("say-text");
  const text = input.value.trim();
  if (text !== "") game?.say(text);
  input.value = "";
  input.blur();
});

window.addEventListener("keydown", (event) => {
  const input = element<HTMLInputElement>("say-text");
  if (event.key === "Escape") input.blur();
  if (event.key !== "Enter" || !game || document.activeElement === input) return;
  event.preventDefault();
  input.focus();
});
canvas.addEventListener("pointerdown", (event) => game?.click(event.clientX, event.clientY));
canvas.addEventListener("pointermove", (event) => game?.point({ x: event.clientX, y: event.clientY }));
canvas.addEventListener("pointerleave", () => game?.point(null));
canvas.addEventListener("wheel", (event) => game?.camera.zoomBy(-Math.sign(event.deltaY)), { passive: true });

element<HTMLInputElement>("name").value = localStorage.getItem(`evertick.name.${role}`) ?? "";
