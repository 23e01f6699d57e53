/** The part of a WebSocket that the client uses, and its opening. */

import { ConnectionClosed } from "./errors.ts";

/** What browsers, Node 22 and the packages `ws` and `undici` have in common. */
export interface WebSocketLike {
  binaryType: string;
  readonly readyState: number;
  onopen: ((event: never) => unknown) | null;
  onmessage: ((event: never) => unknown) | null;
  onclose: ((event: never) => unknown) | null;
  onerror: ((event: never) => unknown) | null;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

/** A class of WebSockets. */
export type WebSocketConstructor = new (url: string) => WebSocketLike;

/** The platform's WebSocket; throws a `TypeError` that says what to do where there is none. */
export function platformWebSocket(): WebSocketConstructor {
  const found = (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
  if (found) return found;
  throw new TypeError(
    "this platform has no WebSocket: use Node 22 or newer, start Node 20 with --experimental-websocket, or pass one as the option `WebSocket`",
  );
}

/** What happens on a socket. */
export interface SocketEvents {
  open(): void;
  /** A binary message. */
  message(bytes: Uint8Array): void;
  /** Something that is not binary. */
  text(): void;
  /** It is over; nothing comes any more. */
  close(error: ConnectionClosed): void;
}

/** Opens a socket. */
export function openSocket(url: string, WebSocket: WebSocketConstructor, events: SocketEvents): WebSocketLike {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  let opened = false;
  socket.onopen = () => {
    opened = true;
    events.open();
  };
  socket.onmessage = (event: { data: unknown }) => {
    if (event.data instanceof ArrayBuffer) events.message(new Uint8Array(event.data));
    else events.text();
  };
  socket.onerror = () => {}; // a close follows, which says as much
  socket.onclose = (event: { code?: number; reason?: string }) => {
    const why = event.reason ? `: ${event.reason}` : "";
    const text = opened ? `the connection to ${url} was lost (code ${event.code ?? 0}${why})` : `no server answers at ${url}`;
    events.close(new ConnectionClosed("Lost", text));
  };
  return socket;
}
