/** A way to the server that carries whole messages, on lanes; here, a WebSocket as one. */

import { ConnectionClosed } from "./errors.ts";

/** What a connection runs over. */
export type Transport = "WebTransport" | "WebSocket";

/**
 * What a message came by. Order holds within `"Control"` and within `"World"`; what comes by `"Latest"` may be lost,
 * doubled and out of order. A WebSocket has `"World"` only.
 */
export type Lane = "Control" | "World" | "Latest";

/** A way to a server, open or not. */
export interface Socket {
  readonly transport: Transport;
  /** Whether messages can be sent. */
  readonly open: boolean;
  /** Sends a message that arrives, in order. */
  send(message: Uint8Array<ArrayBuffer>): void;
  /** Sends a message that may be lost; `false` when there is no such way for it. */
  sendLatest(message: Uint8Array<ArrayBuffer>): boolean;
  /** Leaves: the server need not wait for us. No event follows. */
  close(reason: string): void;
  /** Drops it, as a network would: the server keeps the session. No event follows. */
  drop(): void;
}

/** What happens on a socket. */
export interface SocketEvents {
  open(): void;
  /** A binary message. */
  message(bytes: Uint8Array, lane: Lane): void;
  /** Something that is not binary. */
  text(): void;
  /** It is over; nothing comes any more. */
  close(error: ConnectionClosed): void;
}

/** The code of a WebSocket's end that says nothing; what is above is 4000 + a close code. */
const DROPPED = 4000;

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

/** Opens a WebSocket. */
export function openSocket(url: string, WebSocket: WebSocketConstructor, events: SocketEvents): Socket {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  let opened = false;
  socket.onopen = () => {
    opened = true;
    events.open();
  };
  socket.onmessage = (event: { data: unknown }) => {
    if (event.data instanceof ArrayBuffer) events.message(new Uint8Array(event.data), "World");
    else events.text();
  };
  socket.onerror = () => {}; // a close follows, which says as much
  socket.onclose = (event: { code?: number; reason?: string }) => {
    const why = event.reason ? `: ${event.reason}` : "";
    const text = opened ? `the connection to ${url} was lost (code ${event.code ?? 0}${why})` : `no server answers at ${url}`;
    events.close(new ConnectionClosed("Lost", text));
  };
  return {
    transport: "WebSocket",
    get open() {
      return socket.readyState === 1;
    },
    send: (message) => socket.send(message),
    sendLatest: () => false,
    close(reason) {
      socket.onclose = null;
      socket.close(1000, reason);
    },
    drop() {
      socket.onclose = null;
      socket.close(DROPPED);
    },
  };
}
