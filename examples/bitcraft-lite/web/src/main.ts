/** The page: asks for a name, enters the world, and goes on with it after a reload. */

import { type Client, type ClientStats, connect, type Conditions, ConnectionClosed, type ConnectionState, sessionTickets, type Vec2 } from "@evertick/client";

import { type Counts, Game, type NodeInSight } from "./game.ts";
import { join, module } from "./generated/bitcraft.ts";
import { element, Hud } from "./hud.ts";
import { network, Overlay } from "./overlay.ts";

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
  /** Where our player is drawn. */
  shown(): Vec2 | null;
  /** Where our inputs lead; `null` while nothing is foretold. */
  foretold(): Vec2 | null;
  /** How the connection stands, the session's number, and whether it goes on from before a reload. */
  session(): { state: ConnectionState; id: string; resumed: boolean } | null;
  /** Leaves the world. */
  disconnect(): void;
  /** Drops the connection, as a network would. */
  drop(): void;
  /** Makes the network worse. */
  simulate(conditions: Conditions | null): void;
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
// `?debug` shows numbers, `?network=mobile` makes the network worse.
const tickets = sessionTickets(`evertick.ticket.${role}`);
let conditions = network(parameters.get("network")) ?? null;

const hud = new Hud();
const canvas = element<HTMLCanvasElement>("world");
const overlay = new Overlay(parameters.get("network"), (chosen) => {
  conditions = chosen;
  game?.client.simulate(chosen);
});
let game: Game | null = null;

window.evertick = {
  get me() {
    return game ? String(game.me) : null;
  },
  position: (entity) => game?.position(entity === undefined ? game.me : BigInt(entity)) ?? null,
  nodes: () => game?.nodes() ?? [],
  stats: () => game?.stats() ?? null,
  counts: () => game?.counts() ?? null,
  shown: () => game?.shown() ?? null,
  foretold: () => game?.steering.foretold() ?? null,
  session: () => game && { state: game.client.state, id: String(game.client.session), resumed: game.client.resumed },
  disconnect: () => game?.client.close(),
  drop: () => game?.client.dropConnection(),
  simulate: (worse) => game?.client.simulate(worse),
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
  const client = await connect({ url: server, module, token: token(), transport, tickets, conditions, reconnect: { newSession: true } });
  try {
    const me = await client.call(join, { name });
    localStorage.setItem(`evertick.name.${role}`, name);
    game = new Game(client, me, canvas, hud, overlay);
  } catch (error) {
    client.close();
    throw error;
  }
  element("welcome").hidden = true;
  element("lost").hidden = true;
  hud.show(true);
  overlay.show(parameters.has("debug"));
  follow(client, game.me, name);
  void client.closed.then((reason) => leave(name, reason));
}

/** Shows how the connection stands; in a session that is not the one before, enters the world anew. */
function follow(client: Client, me: bigint, name: string): void {
  let { session } = client;
  client.onState((state) => {
    element("reconnecting").hidden = state !== "Reconnecting";
    if (state !== "Connected" || client.session === session) return;
    session = client.session;
    client.call(join, { name }).then(
      // Another world: nothing of what this page knows is true there.
      (player) => player !== me && location.reload(),
      () => client.close(),
    );
  });
}

/** The connection is over: says so, and tries again. */
function leave(name: string, reason: Error): void {
  game?.stop();
  game = null;
  hud.show(false);
  overlay.show(false);
  element("reconnecting").hidden = true;
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

/** Whether keys are text at present. */
const typing = () => document.activeElement?.matches("input, select, textarea") ?? false;

window.addEventListener("keydown", ({ code, ctrlKey, altKey, metaKey }) => {
  if (!typing() && !ctrlKey && !altKey && !metaKey) game?.steering.press(code);
});
window.addEventListener("keyup", ({ code }) => game?.steering.release(code));
// The keyup of what is down then goes elsewhere, or means text.
window.addEventListener("blur", () => game?.steering.release());
window.addEventListener("focusin", () => typing() && game?.steering.release());
canvas.addEventListener("pointerdown", (event) => game?.click(event.clientX, event.clientY));
canvas.addEventListener("pointermove", (event) => game?.point({ x: event.clientX, y: event.clientY }));
canvas.addEventListener("pointerleave", () => game?.point(null));
canvas.addEventListener("wheel", (event) => game?.camera.zoomBy(-Math.sign(event.deltaY)), { passive: true });

const known = localStorage.getItem(`evertick.name.${role}`) ?? "";
element<HTMLInputElement>("name").value = known;
// The page was loaded again: the session is still there.
if (known !== "" && tickets.load() !== null) element<HTMLFormElement>("join").requestSubmit();
