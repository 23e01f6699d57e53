/**
 * WebTransport (QUIC) as a {@link Socket}: a stream that both write, a stream of the server's for frames, and datagrams
 * both ways for what may be lost. A server's message that no datagram holds comes alone on a stream of its own.
 */

import { ConnectionClosed, ProtocolError } from "./errors.ts";
import { closeRecord, CONTROL_STREAM, Deframer, framed, type LastWords, OVERFLOW_STREAM, WORLD_STREAM } from "./framing.ts";
import type { Lane, Socket, SocketEvents } from "./socket.ts";

/** The part of the platform's WebTransport that is used here. */
export interface WebTransportLike {
  readonly ready: Promise<unknown>;
  readonly closed: Promise<unknown>;
  readonly datagrams: {
    readonly readable: ReadableStream<Uint8Array>;
    /** Gone from the newest drafts, in favour of the function. */
    readonly writable?: WritableStream<Uint8Array>;
    createWritable?(): WritableStream<Uint8Array>;
    readonly maxDatagramSize: number;
  };
  readonly incomingUnidirectionalStreams: ReadableStream<ReadableStream<Uint8Array>>;
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

/** The longest message that comes alone on a stream, and how many such streams are read at once; others are dropped. */
const OVERFLOW_BYTES_MAX = 64 * 1024;
const OVERFLOW_STREAMS_MAX = 8;

/** How long the server has to see us off, and its frames to arrive behind its last words, in milliseconds. */
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
  private datagrams: WritableStreamDefaultWriter<Uint8Array> | undefined;
  private waiting = 0;
  private overflows = 0;
  private over = false;
  /** The first message has come: frames may be shown. */
  private readonly greeted = signal();
  private readonly worldEnded = signal();
  private readonly ended = signal();

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

  sendLatest(message: Uint8Array<ArrayBuffer>): boolean {
    const { datagrams } = this;
    if (!this.open || !datagrams || message.length > this.session.datagrams.maxDatagramSize) return false;
    // What would wait is better lost: the next says the same and more.
    if ((datagrams.desiredSize ?? 0) > 0) datagrams.write(message).catch(() => {});
    return true;
  }

  close(reason: string): void {
    if (this.over) return;
    const { writer } = this;
    this.over = true;
    if (!writer) return this.session.close();
    writer.write(closeRecord({ code: NORMAL, reason })).catch(() => {});
    writer.close().catch(() => {});
    // Closing the session throws away what is under way, so the server goes first.
    void soon(this.ended.promise).then(() => this.session.close({ closeCode: NORMAL, reason }));
  }

  drop(): void {
    if (this.over) return;
    this.over = true;
    this.session.close();
  }

  private async run(): Promise<void> {
    let opened = false;
    try {
      await this.session.ready;
      const stream = await this.session.createBidirectionalStream();
      const writer = stream.writable.getWriter();
      writer.closed.catch(() => {});
      writer.write(Uint8Array.of(CONTROL_STREAM)).catch(() => {});
      if (!this.over) {
        this.writer = writer;
        this.openDatagrams();
        opened = true;
        this.events.open();
      }
      void this.readStreams();
      void this.readDatagrams();
      const words = await this.readRecords(stream.readable.getReader(), "Control");
      // Who is refused gets no greeting, and is told why on the other stream.
      this.greeted.settle();
      // What was said before the end counts, although it comes by another stream.
      await soon(this.worldEnded.promise);
      const why = words?.reason ? `: ${words.reason}` : "";
      this.lose(`the connection to ${this.url} was closed${words ? ` (code ${words.code}${why})` : ""}`);
    } catch (error) {
      if (error instanceof ProtocolError) this.end(new ConnectionClosed("Protocol", error.message));
      else this.lose(opened ? `the connection to ${this.url} was lost` : `no server answers at ${this.url}`);
    } finally {
      this.ended.settle();
    }
  }

  private openDatagrams(): void {
    const { datagrams } = this.session;
    const writable = datagrams.createWritable?.() ?? datagrams.writable;
    this.datagrams = writable?.getWriter();
    this.datagrams?.closed.catch(() => {});
  }

  /** Delivers a stream's messages until its last words, or its end. */
  private async readRecords(reader: ReadableStreamDefaultReader<Uint8Array>, lane: Lane, rest?: Uint8Array): Promise<LastWords | undefined> {
    const deframer = new Deframer();
    for (let chunk = rest; ; ) {
      if (chunk) {
        deframer.push(chunk);
        for (let next = deframer.next(); next !== undefined; next = deframer.next()) {
          if (!(next instanceof Uint8Array)) return next;
          this.deliver(next, lane);
          this.greeted.settle();
        }
      }
      const { done, value } = await reader.read();
      if (done) return undefined;
      chunk = value;
    }
  }

  private async readStreams(): Promise<void> {
    await this.greeted.promise;
    try {
      const streams = this.session.incomingUnidirectionalStreams.getReader();
      for (let next = await streams.read(); !next.done; next = await streams.read()) void this.readStream(next.value);
    } catch {
      // The connection is over, which the stream of both tells of.
    }
  }

  private async readStream(stream: ReadableStream<Uint8Array>): Promise<void> {
    const reader = stream.getReader();
    let kind: number | undefined;
    try {
      let first = await reader.read();
      while (!first.done && first.value.length === 0) first = await reader.read();
      if (first.done) return;
      kind = first.value[0];
      const rest = first.value.subarray(1);
      if (kind === WORLD_STREAM) {
        await this.readRecords(reader, "World", rest);
      } else if (kind === OVERFLOW_STREAM && this.overflows < OVERFLOW_STREAMS_MAX) {
        this.overflows++;
        try {
          await this.readAlone(reader, rest);
        } finally {
          this.overflows--;
        }
      } else {
        await reader.cancel();
      }
    } catch (error) {
      // A stream that breaks off: so did the connection, which is seen, or its message does not matter.
      if (error instanceof ProtocolError) this.end(new ConnectionClosed("Protocol", error.message));
    } finally {
      if (kind === WORLD_STREAM) this.worldEnded.settle();
    }
  }

  /** Delivers the one message of a stream. */
  private async readAlone(reader: ReadableStreamDefaultReader<Uint8Array>, first: Uint8Array): Promise<void> {
    const chunks = [first];
    let length = first.length;
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      chunks.push(next.value);
      length += next.value.length;
      if (length > OVERFLOW_BYTES_MAX) return reader.cancel();
    }
    const message = new Uint8Array(length);
    let at = 0;
    for (const chunk of chunks) {
      message.set(chunk, at);
      at += chunk.length;
    }
    this.deliver(message, "Latest");
  }

  private async readDatagrams(): Promise<void> {
    await this.greeted.promise;
    try {
      const reader = this.session.datagrams.readable.getReader();
      for (let next = await reader.read(); !next.done; next = await reader.read()) this.deliver(next.value, "Latest");
    } catch {
      // As above.
    }
  }

  /** A listener that throws is reported, as it would be in an event handler, and not the end of the connection. */
  private deliver(message: Uint8Array, lane: Lane): void {
    if (this.over) return;
    try {
      this.events.message(message, lane);
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

/** Something that happens once. */
function signal(): { readonly promise: Promise<void>; settle(): void } {
  let settle = () => {};
  const promise = new Promise<void>((resolve) => (settle = resolve));
  return { promise, settle: () => settle() };
}

/** When `happened` has, but at most {@link GOODBYE_MS} from now. */
function soon(happened: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, GOODBYE_MS);
    void happened.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
