/** Subscriptions by query: rows that are sent only to those who ask for them. */

import { type ConnectionClosed, ProtocolError, QueryRefused } from "./errors.ts";
import type { QueryReply } from "./replies.ts";
import { subscribe, unsubscribe } from "./requests.ts";

/** The most queries at once, those without an answer included. */
export const QUERIES_MAX = 32;

/** A query whose rows are in the replica, like any others, and stay up to date. */
export interface Query {
  /** What was asked. */
  readonly text: string;
  /** Ends it; rows that nothing else brings go. */
  end(): void;
}

interface Asked {
  number: number;
  readonly text: string;
  /** Whether the server has been asked. */
  sent: boolean;
  /** Whoever asked, until there is an answer. */
  waiting: { resolve(text: string | null): void; reject(error: Error): void } | null;
}

/** Numbers queries, and brings answers to whoever asked. */
export class Queries {
  private readonly asked = new Map<number, Asked>();
  /** Ended while the connection was lost; no more than were asked before. */
  private ended: number[] = [];
  private readonly send: (message: Uint8Array<ArrayBuffer>) => boolean;
  private last = 0;

  /** @param send says whether there is a connection; without one the message is lost. */
  constructor(send: (message: Uint8Array<ArrayBuffer>) => boolean) {
    this.send = send;
  }

  /** Asks for rows; settled when they are there, with how to end it. */
  async subscribe(text: string): Promise<Query> {
    const { asked, explanation } = await this.ask(text);
    if (explanation !== null) throw new QueryRefused(text, "that asks for an explanation, not for rows");
    return { text, end: () => this.end(asked) };
  }

  /** Asks how a query would be matched. */
  async explain(text: string): Promise<string> {
    const { asked, explanation } = await this.ask(`EXPLAIN ${text}`);
    if (explanation !== null) return explanation;
    this.end(asked);
    throw new ProtocolError("rows where an explanation is due");
  }

  /** The server has answered. Answers to what has ended in the meantime are nobody's. */
  reply({ query, result }: QueryReply): void {
    const asked = this.asked.get(query);
    if (!asked) return;
    const { waiting } = asked;
    asked.waiting = null;
    if (result.status !== "applied") this.asked.delete(query);
    if (result.status === "refused") waiting?.reject(new QueryRefused(asked.text, result.text));
    else waiting?.resolve(result.status === "explained" ? result.text : null);
  }

  /** The session goes on: what was not answered may not have arrived. */
  resume(): void {
    for (const number of this.ended.splice(0)) this.send(unsubscribe(number));
    for (const asked of this.asked.values()) if (asked.waiting) asked.sent = this.send(subscribe(asked.number, asked.text));
  }

  /** Another session begins: all is asked anew. */
  restart(): void {
    const all = [...this.asked.values()];
    this.asked.clear();
    this.ended = [];
    this.last = 0;
    for (const asked of all) {
      asked.number = ++this.last;
      this.asked.set(asked.number, asked);
      asked.sent = this.send(subscribe(asked.number, asked.text));
    }
  }

  /** Ends all waiting. */
  abandon(error: ConnectionClosed): void {
    for (const { waiting } of this.asked.values()) waiting?.reject(error);
    this.asked.clear();
  }

  private ask(text: string): Promise<{ asked: Asked; explanation: string | null }> {
    return new Promise((resolve, reject) => {
      if (this.asked.size >= QUERIES_MAX) throw new QueryRefused(text, `there are ${QUERIES_MAX} queries already: end one first`);
      const message = subscribe(this.last + 1, text);
      const asked: Asked = {
        number: ++this.last,
        text,
        sent: this.send(message),
        waiting: { resolve: (explanation) => resolve({ asked, explanation }), reject },
      };
      this.asked.set(asked.number, asked);
    });
  }

  private end(asked: Asked): void {
    if (!this.asked.delete(asked.number) || !asked.sent) return;
    if (!this.send(unsubscribe(asked.number))) this.ended.push(asked.number);
  }
}
