/**
 * Getting to a server by the best way it offers. The page knows the WebSocket's address; there the server tells of its QUIC ports
 * (`/evertick.json`). WebTransport gets a head start, the WebSocket follows when that takes too long or fails, and the
 * first that is open is used.
 */

import type { ConnectionClosed } from "./errors.ts";
import { openSocket, type Socket, type SocketEvents, type Transport, type WebSocketConstructor } from "./socket.ts";
import { openWebTransport, type WebTransportConstructor } from "./webtransport.ts";

/** How long the question for QUIC ports may take, in milliseconds. */
const DISCOVERY_MS = 1_000;

/** How long WebTransport is tried alone, in milliseconds: some browsers on some networks hang in it. */
const HEAD_START_MS = 1_500;

/** What the platform has. */
export interface Platform {
  readonly WebSocket: WebSocketConstructor;
  readonly WebTransport: WebTransportConstructor;
  readonly fetch: (url: string, options: { signal: AbortSignal; cache: "no-store" }) => Promise<{ readonly ok: boolean; json(): Promise<unknown> }>;
}

/** A QUIC port that the server tells of. */
interface Offer {
  readonly url: string;
  readonly hash: Uint8Array<ArrayBuffer> | undefined;
}

/** Opens the best way to `url`, the WebSocket's address. */
export function openBest(url: string, platform: Platform, events: SocketEvents): Socket {
  return new Race(url, platform, events);
}

class Race implements Socket {
  private readonly url: string;
  private readonly platform: Platform;
  private readonly events: SocketEvents;
  private readonly attempts = new Set<Socket>();
  private winner: Socket | undefined;
  private over = false;
  private webSocketStarted = false;
  private headStart: ReturnType<typeof setTimeout> | undefined;

  constructor(url: string, platform: Platform, events: SocketEvents) {
    this.url = url;
    this.platform = platform;
    this.events = events;
    void this.run();
  }

  get transport(): Transport {
    return this.winner?.transport ?? "WebSocket";
  }

  get open(): boolean {
    return this.winner?.open ?? false;
  }

  send(message: Uint8Array<ArrayBuffer>): void {
    this.winner?.send(message);
  }

  sendLatest(message: Uint8Array<ArrayBuffer>): boolean {
    return this.winner?.sendLatest(message) ?? false;
  }

  close(reason: string): void {
    this.over = true;
    clearTimeout(this.headStart);
    for (const attempt of this.attempts) attempt.close(reason);
  }

  drop(): void {
    this.over = true;
    clearTimeout(this.headStart);
    for (const attempt of this.attempts) attempt.drop();
  }

  private async run(): Promise<void> {
    const offer = await discover(this.url, this.platform.fetch);
    if (this.over) return;
    if (!offer) return this.startWebSocket();
    this.headStart = setTimeout(() => this.startWebSocket(), HEAD_START_MS);
    this.attempt((events) => openWebTransport(offer.url, offer.hash, this.platform.WebTransport, events));
  }

  private startWebSocket(): void {
    clearTimeout(this.headStart);
    if (this.webSocketStarted || this.over || this.winner) return;
    this.webSocketStarted = true;
    this.attempt((events) => openSocket(this.url, this.platform.WebSocket, events));
  }

  private attempt(open: (events: SocketEvents) => Socket): void {
    const socket: Socket = open({
      open: () => this.won(socket),
      message: (bytes, lane) => this.events.message(bytes, lane),
      text: () => this.events.text(),
      close: (error) => this.lost(socket, error),
    });
    this.attempts.add(socket);
  }

  private won(socket: Socket): void {
    if (this.over) return;
    clearTimeout(this.headStart);
    this.winner = socket;
    for (const other of this.attempts) if (other !== socket) other.close("another way was faster");
    this.attempts.clear();
    this.attempts.add(socket);
    this.events.open();
  }

  private lost(socket: Socket, error: ConnectionClosed): void {
    this.attempts.delete(socket);
    if (this.over) return;
    if (this.winner === socket) {
      this.over = true;
      return this.events.close(error);
    }
    this.startWebSocket();
    if (this.attempts.size > 0) return;
    this.over = true;
    this.events.close(error);
  }
}

async function discover(url: string, fetch: Platform["fetch"]): Promise<Offer | undefined> {
  try {
    const server = new URL("/evertick.json", url.replace(/^ws/, "http"));
    const answer = await fetch(server.href, { signal: AbortSignal.timeout(DISCOVERY_MS), cache: "no-store" });
    return answer.ok ? firstOffer(server.hostname, await answer.json()) : undefined;
  } catch {
    return undefined; // any trouble here is the WebSocket's to report
  }
}

function firstOffer(host: string, document: unknown): Offer | undefined {
  const { quic } = document as { quic?: unknown };
  if (!Array.isArray(quic)) return undefined;
  for (const { port, certificate } of quic as { port?: unknown; certificate?: unknown }[]) {
    if (!Number.isInteger(port)) continue;
    const url = `https://${host}:${port as number}/`;
    if (certificate === undefined) return { url, hash: undefined };
    if (typeof certificate !== "string" || !/^[0-9a-f]{64}$/.test(certificate)) continue;
    return { url, hash: Uint8Array.from(certificate.match(/../g)!, (byte) => parseInt(byte, 16)) };
  }
  return undefined;
}
