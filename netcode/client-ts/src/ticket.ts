/** What resumes a session from elsewhere: after a reload of the page, say. */

import { type Resume, SECRET_BYTES } from "./requests.ts";

/** Where a page keeps its ticket. */
export interface TicketStore {
  /** The ticket that was saved last. */
  load(): string | null;
  /** Keeps a ticket; `null` is for no more: the session is over for good. */
  save(ticket: string | null): void;
}

/** Keeps tickets in the tab's `sessionStorage`, where they outlive a reload; `key` tells several clients of a page apart. */
export function sessionTickets(key = "evertick.ticket"): TicketStore {
  return {
    load: () => sessionStorage.getItem(key),
    save: (ticket) => (ticket === null ? sessionStorage.removeItem(key) : sessionStorage.setItem(key, ticket)),
  };
}

/** A session as text. Whoever has it can take the session over: it is a secret. */
export function writeTicket({ session, secret, results }: Resume): string {
  const hex = Array.from(secret, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${session}.${hex}.${results}`;
}

/** The session of a ticket; `undefined` when it is none. */
export function readTicket(ticket: string | null): (Resume & { readonly results: number }) | undefined {
  const parts = /^(\d{1,20})\.([0-9a-f]+)\.(\d{1,15})$/.exec(ticket ?? "");
  if (!parts || parts[2]!.length !== 2 * SECRET_BYTES) return undefined;
  const secret = Uint8Array.from(parts[2]!.match(/../g)!, (byte) => parseInt(byte, 16));
  return { session: BigInt.asUintN(64, BigInt(parts[1]!)), secret, results: Number(parts[3]) };
}
