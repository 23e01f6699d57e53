/** What can go wrong, each with what to do about it in its message. */

/** The server sent something that is not of the protocol. The connection is closed when it happens. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** The bindings were generated from a module that the server no longer runs. */
export class SchemaMismatch extends Error {
  override readonly name = "SchemaMismatch";
  /** What differs. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the server runs another version of the module: ${problems.join("; ")}. Generate the bindings again`);
    this.problems = problems;
  }
}

/** A reducer said no. Nothing of the call has happened. */
export class CallRefused<R = { type: string }> extends Error {
  override readonly name = "CallRefused";
  /** The reducer's name. */
  readonly reducer: string;
  /** Which refusal, with what it carries: `{ type: "TooFar", meters: 4.2 }`. */
  readonly refusal: R;

  constructor(reducer: string, refusal: R, message: string) {
    super(message);
    this.reducer = reducer;
    this.refusal = refusal;
  }
}

/** Why a call could not be carried out. */
export type FailCode =
  | "UnknownReducer"
  | "Forbidden"
  | "BadArguments"
  | "RateLimited"
  | "Busy"
  | "Internal"
  | "Storage";

/** A call was not carried out, for a reason that is not the reducer's. Nothing of it has happened. */
export class CallFailed extends Error {
  override readonly name = "CallFailed";
  /** The reducer's name. */
  readonly reducer: string;
  readonly code: FailCode;
  /** With `Internal`: the number under which the server's log tells more; else `0n`. */
  readonly id: bigint;

  constructor(reducer: string, code: FailCode, message: string, id: bigint) {
    super(message);
    this.reducer = reducer;
    this.code = code;
    this.id = id;
  }
}

/** A query was turned down; the message says why. */
export class QueryRefused extends Error {
  override readonly name = "QueryRefused";
  /** What was asked. */
  readonly text: string;

  constructor(text: string, message: string) {
    super(message);
    this.text = text;
  }
}

/**
 * Why a client is over. `Lost` is the network's doing, `Left` ours; `Replaced`: another connection has the session;
 * `Expired`: the session could not be resumed; the others are the server's words.
 */
export type CloseReason =
  | "Left"
  | "Lost"
  | "Normal"
  | "BadMessage"
  | "TooLarge"
  | "Flooding"
  | "TooSlow"
  | "Unauthorized"
  | "Unsupported"
  | "Shutdown"
  | "Internal"
  | "Timeout"
  | "Replaced"
  | "Expired"
  | "Protocol";

/** The connection is over; for a call: whether it was carried out is not known. */
export class ConnectionClosed extends Error {
  override readonly name = "ConnectionClosed";
  readonly reason: CloseReason;

  constructor(reason: CloseReason, message: string) {
    super(message === "" ? `the connection is closed: ${reason}` : message);
    this.reason = reason;
  }
}
