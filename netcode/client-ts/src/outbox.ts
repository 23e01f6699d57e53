/** What one turn has to send goes as few messages: a server takes it in at once. */

/** Messages are joined until they have so many bytes; a single one may be longer. */
const MESSAGE_BYTES_MAX = 16 * 1024;

/** Joins the messages of a turn. */
export class Outbox {
  private readonly messages: Uint8Array<ArrayBuffer>[] = [];
  private readonly send: (message: Uint8Array<ArrayBuffer>) => void;

  /** `send` is given what is to be sent, at the end of the turn. */
  constructor(send: (message: Uint8Array<ArrayBuffer>) => void) {
    this.send = send;
  }

  /** Adds a message. */
  push(message: Uint8Array<ArrayBuffer>): void {
    if (this.messages.push(message) === 1) queueMicrotask(() => this.flush());
  }

  /** Sends what there is. */
  flush(): void {
    const messages = this.messages.splice(0);
    for (let from = 0; from < messages.length; ) {
      let length = messages[from]!.length;
      let to = from + 1;
      while (to < messages.length && length + messages[to]!.length <= MESSAGE_BYTES_MAX) length += messages[to++]!.length;
      this.send(to === from + 1 ? messages[from]! : joined(messages.slice(from, to), length));
      from = to;
    }
  }

  /** Forgets what there is. */
  clear(): void {
    this.messages.length = 0;
  }
}

function joined(messages: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const message of messages) {
    bytes.set(message, at);
    at += message.length;
  }
  return bytes;
}
