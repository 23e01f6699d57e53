/** WebTransport (QUIC) as a {@link Socket}. */

import { ConnectionClosed, ProtocolError } from "./errors.ts";
import { closeRecord, Deframer, framed, MESSAGES } from "./framing.ts";
import type { Socket, SocketEvents } from "./socket.ts";

/** The part of the platform's WebTransport that is used here. */
export interface WebTransportLike {
  readonly ready: Promise<unknown>;
  readonly closed: Promise<unknown>;
  createBidirectionalStream(): Promise<{ readonly readable: ReadableStream<Uint8Array>; readonly writable: WritableStream<Uint8Array> }>;
  close(info?: { closeCode?: number; reason?: string }): void;
}

/** A class of WebTransports. */
export type WebTransportConstructor = new (
  url: string,
  options: { serverCertificateHashes?: { algorithm: string; value: Uint8Array<ArrayBuffer> }[] },
) => WebTransportLike;

/** Bytes that may wait to be sent; a connection that takes so little is given up. */
const OUTGOING_BYTES_MAX = 4 * 1024 * 1024;

/** How long the server has to see us off, in milliseconds. */
const GOODBYE_MS = 2_000;

/** The code of an end that we want. */
const NORMAL = 1;

/** Opens a session at `https://host:port/`; `hash` is the SHA-256 of a certificate that nobody signed. */
export function openWebTransport(
  url: string,
  hash: Uint8Array<ArrayBuffer> | undefined,
  WebTransport: WebTransportConstructor,
  events: SocketEvents,
): Socket {
  return new WebTransportSocket(url, hash, WebTransport, events);
}

class WebTransportSocket implements Socket {
  readonly transport = "WebTransport";
  private readonly url: string;
  private readonly events: SocketEvents;
  private readonly session: WebTransportLike;
  private writer: WritableStreamDefaultWriter<Uint8Array> | undefined;
  private waiting = 0;
  private over = false;
  private settleEnded: () => void = () => {};
  private readonly ended = new Promise<void>((resolve) => (this.settleEnded = resolve));

  constructor(url: string, hash: Uint8Array<ArrayBuffer> | undefined, WebTransport: WebTransportConstructor, events: SocketEvents) {
    this.url = url;
    this.events = events;
    const hashes = hash ? { serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] } : {};
    this.session = new WebTransport(url, hashes);
    this.session.closed.catch(() => {}); // the streams end with it, which is seen
    void this.run();
  }

  get open(): boolean {
    return this.writer !== undefined && !this.over;
  }

  send(message: Uint8Array<ArrayBuffer>): void {
    if (!this.open) return;
    const bytes = framed(message);
    this.waiting += bytes.length;
    if (this.waiting > OUTGOING_BYTES_MAX) return this.lose(`the server at ${this.url} takes nothing`);
    // A write that fails is seen when reading, too.
    this.writer!.write(bytes).then(() => (this.waiting -= bytes.length), () => {});
  }

  close(reason: string): void {
    if (this.over) return;
    const { writer } = this;
    this.over = true;
    if (!writer) return this.session.close();
    writer.write(closeRecord({ code: NORMAL, reason })).catch(() => {});
    writer.close().catch(() => {});
    const timer = setTimeout(this.settleEnded, GOODBYE_MS);
    // Closing the session throws away what is under way, so the server goes first.
    void this.ended.then(() => {
      clearTimeout(timer);
      this.session.close({ closeCode: NORMAL, reason });
    });
  }

  private async run(): Promise<void> {
    let opened = false;
    try {
      await this.session.ready;
      const stream = await this.session.createBidirectionalStream();
      const writer = stream.writable.getWriter();
      writer.closed.catch(() => {});
      writer.write(Uint8Array.of(MESSAGES)).catch(() => {});
      if (!this.over) {
        this.writer = writer;
        opened = true;
        this.events.open();
      }
      await this.read(stream.readable.getReader());
    } catch (error) {
      if (error instanceof ProtocolError) this.end(new ConnectionClosed("Protocol", error.message));
      else this.lose(opened ? `the connection to ${this.url} was lost` : `no server answers at ${this.url}`);
    } finally {
      this.settleEnded();
    }
  }

  private async read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    const deframer = new Deframer();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return this.lose(`the connection to ${this.url} was closed`);
      deframer.push(value);
      for (let next = deframer.next(); next !== undefined; next = deframer.next()) {
        if (!(next instanceof Uint8Array)) {
          const why = next.reason ? `: ${next.reason}` : "";
          return this.lose(`the connection to ${this.url} was closed (code ${next.code}${why})`);
        }
        if (!this.over) this.deliver(next);
      }
    }
  }

  /** A listener that throws is reported, as it would be in an event handler, and not the end of the connection. */
  private deliver(message: Uint8Array): void {
    try {
      this.events.message(message);
    } catch (error) {
      setTimeout(() => {
        throw error;
      });
    }
  }

  private lose(text: string): void {
    this.end(new ConnectionClosed("Lost", text));
  }

  private end(error: ConnectionClosed): void {
    if (this.over) return;
    this.over = true;
    this.session.close();
    this.events.close(error);
  }
}
