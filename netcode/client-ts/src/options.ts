/** How to connect. */

import type { Conditions } from "./conditions.ts";
import type { ModuleDef } from "./schema.ts";
import type { WebSocketConstructor } from "./socket.ts";
import type { TicketStore } from "./ticket.ts";

/** What a client does when its connection is lost. */
export interface Reconnect {
  /** How long the session is tried to be resumed, in milliseconds; a server keeps it 60 s by default. Default: 60,000. */
  readonly resumeMs?: number;
  /** The time between two attempts: the first and the longest, in milliseconds; chosen by chance around that. Default: 100 and 3,000. */
  readonly backoffMs?: readonly [number, number];
  /**
   * Whether to go on with a new session where the old one can't be resumed. Calls without an answer then fail, and the
   * replica starts anew: what changes by that is told of like any change. Default: `false`, which ends the client.
   */
  readonly newSession?: boolean;
}

/** How to connect. */
export interface ConnectOptions {
  /** `ws://host:port` or `wss://host:port`. */
  readonly url: string;
  /** The module of the generated bindings. Without one, the server's description is asked for. */
  readonly module?: ModuleDef;
  /** What proves who we are, at most 4096 bytes; text as UTF-8. Default: nothing. */
  readonly token?: string | Uint8Array;
  /**
   * Asks for every frame as soon as it is made, before the server's disk has what it tells: results of calls arrive
   * sooner by the time of a disk write. After a crash of the server's machine, some of what was seen may never have
   * happened. Default: `false`.
   */
  readonly unconfirmed?: boolean;
  /**
   * How to get there. `"best"` is WebTransport where the server offers it and the browser has it, and a WebSocket
   * otherwise, or when that is faster; then the connection takes up to a second longer where the server does not answer.
   * Default: `"best"`, but `"WebSocket"` with the option of that name.
   */
  readonly transport?: "best" | "WebSocket";
  /** The WebSocket to use. Default: the platform's. */
  readonly WebSocket?: WebSocketConstructor;
  /** How long the server may take to let us in, in milliseconds. Default: 10,000. */
  readonly timeoutMs?: number;
  /** The time between two pings, in milliseconds. Default: 1,000. */
  readonly pingMs?: number;
  /** What to do when the connection is lost; `false`: end. Default: resume. */
  readonly reconnect?: Reconnect | false;
  /**
   * Keeps the session's ticket, so that the page goes on with it after a reload: see {@link sessionTickets}. When its
   * ticket is of no use any more, a new session begins.
   */
  readonly tickets?: TicketStore;
  /** Makes the network worse than it is, for development and tests. Default: as it is. */
  readonly conditions?: Conditions | null;
}
