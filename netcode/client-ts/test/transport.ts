/** The other end of a WebTransport, for tests. */

import type { WebTransportLike } from "../src/webtransport.ts";

type Chunks = ReadableStreamDefaultController<Uint8Array>;

/** A stream of the server's, of which the test writes the content. */
export interface ServerStream {
  say(...bytes: number[]): void;
  end(): void;
  /** Whether the client wants no more of it. */
  readonly cancelled: boolean;
}

/** A WebTransport whose other end is the test. */
export class FakeTransport implements WebTransportLike {
  static last: FakeTransport | undefined;
  readonly url: string;
  readonly hash: Uint8Array | undefined;
  readonly ready: Promise<void>;
  readonly closed: Promise<void>;
  readonly sent: Uint8Array[] = [];
  readonly sentDatagrams: Uint8Array[] = [];
  readonly incomingUnidirectionalStreams: ReadableStream<ReadableStream<Uint8Array>>;
  readonly datagrams: WebTransportLike["datagrams"];
  become!: () => void;
  refuse!: () => void;
  over = false;
  private out!: Chunks;
  private datagramsOut!: Chunks;
  private streams!: ReadableStreamDefaultController<ReadableStream<Uint8Array>>;

  constructor(url: string, options: { serverCertificateHashes?: { value: Uint8Array }[] }) {
    this.url = url;
    this.hash = options.serverCertificateHashes?.[0]?.value;
    this.ready = new Promise((resolve, reject) => {
      this.become = resolve;
      this.refuse = () => reject(new Error("refused"));
    });
    this.closed = this.ready;
    this.incomingUnidirectionalStreams = new ReadableStream({ start: (controller) => void (this.streams = controller) });
    this.datagrams = {
      readable: new ReadableStream<Uint8Array>({ start: (controller) => void (this.datagramsOut = controller) }),
      writable: new WritableStream<Uint8Array>({ write: (chunk) => void this.sentDatagrams.push(chunk) }),
      maxDatagramSize: 1_200,
    };
    FakeTransport.last = this;
  }

  async createBidirectionalStream() {
    const readable = new ReadableStream<Uint8Array>({ start: (controller) => void (this.out = controller) });
    const writable = new WritableStream<Uint8Array>({ write: (chunk) => void this.sent.push(chunk) });
    return { readable, writable };
  }

  /** The server writes to the stream that both write. */
  say(bytes: Uint8Array): void {
    this.out.enqueue(bytes);
  }

  /** The server opens a stream that begins with these bytes. */
  stream(...bytes: number[]): ServerStream {
    let chunks!: Chunks;
    let cancelled = false;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => void (chunks = controller),
      cancel: () => void (cancelled = true),
    });
    chunks.enqueue(Uint8Array.from(bytes));
    this.streams.enqueue(stream);
    return {
      say: (...more) => chunks.enqueue(Uint8Array.from(more)),
      end: () => chunks.close(),
      get cancelled() {
        return cancelled;
      },
    };
  }

  datagram(...bytes: number[]): void {
    this.datagramsOut.enqueue(Uint8Array.from(bytes));
  }

  /** The connection breaks. */
  drop(): void {
    const gone = new Error("gone");
    this.out.error(gone);
    this.datagramsOut.error(gone);
    this.streams.error(gone);
  }

  close(): void {
    this.over = true;
  }
}

/** Lets promises run. */
export async function turn(): Promise<void> {
  for (let k = 0; k < 60; k++) await Promise.resolve();
}
