/** The messages from a server, but for the inside of frames and states. */

import { decodeUtf8, Reader } from "./bytes.ts";
import { type CloseReason, ProtocolError } from "./errors.ts";
import { limited, TEXT_BYTES_MAX } from "./replies.ts";
import { SECRET_BYTES } from "./requests.ts";
import { identityAt } from "./row.ts";
import type { Identity, Timestamp } from "./values.ts";

/** The longest message from a server, in bytes. */
export const SERVER_MESSAGE_BYTES_MAX = 16 << 20;

const DESCRIPTION_BYTES_MAX = 1 << 20;

/** The answer to Hello. */
export interface Welcome {
  readonly kind: "welcome";
  readonly protocol: number;
  /** Whether this is the session that we asked to go on with. */
  readonly resumed: boolean;
  readonly session: bigint;
  /** What resumes the session. */
  readonly secret: Uint8Array;
  readonly identity: Identity;
  readonly tick: number;
  /** The length of a tick, in microseconds. */
  readonly tickLength: number;
  readonly time: Timestamp;
  /** SHA-256 of the module's description, as hex. */
  readonly schema: string;
  /** The number of the last call that the server has taken; 0 in a new session. */
  readonly calls: number;
  /** What the server will send at most; 0 for no limit. */
  readonly bytesPerSecond: number;
  /** The description's JSON, for a client that does not know the schema. */
  readonly description: string | null;
}

/** The answer to Ping. */
export interface Pong {
  readonly kind: "pong";
  readonly clientTime: bigint;
  readonly tick: number;
  readonly time: Timestamp;
  /** What the last tick took, in microseconds. */
  readonly tickCost: number;
  /** The least time that inputs since the last Pong were early, in microseconds; negative: late. `null` without inputs. */
  readonly slack: number | null;
}

/** The last message of a session. */
export interface Closed {
  readonly kind: "closed";
  readonly reason: CloseReason;
  readonly message: string;
}

/** A frame, of which nothing has been read yet. */
export interface Frame {
  readonly kind: "frame";
  readonly reader: Reader;
}

/** States of a frame, of which the head has been read. */
export interface State {
  readonly kind: "state";
  /** The frame's number. */
  readonly number: number;
  readonly tick: number;
  readonly reader: Reader;
}

/** A message from the server. */
export type ServerMessage = Welcome | Pong | Closed | Frame | State;

/** Reads a message; of frames only the kind, of states the head. {@link ProtocolError} when it is none. */
export function readMessage(message: Uint8Array): ServerMessage {
  if (message.length > SERVER_MESSAGE_BYTES_MAX) throw new ProtocolError(`a message of ${message.length} bytes`);
  const reader = Reader.of(message);
  const kind = reader.u8();
  if (kind === 0x82) return { kind: "frame", reader };
  if (kind === 0x85) return { kind: "state", number: reader.varintNumber(), tick: reader.varintNumber(), reader };
  const read = kind === 0x81 ? readWelcome(reader) : kind === 0x83 ? readPong(reader) : kind === 0x84 ? readClosed(reader) : null;
  if (read === null) throw new ProtocolError(`message kind ${kind} is unknown`);
  reader.finish();
  return read;
}

const DESCRIPTION = 1;
const RESUMED = 2;

function readWelcome(reader: Reader): Welcome {
  const protocol = reader.u8();
  const flags = reader.u8();
  if (flags > (DESCRIPTION | RESUMED)) throw new ProtocolError(`a welcome with flags ${flags}`);
  return {
    kind: "welcome",
    protocol,
    resumed: (flags & RESUMED) !== 0,
    session: reader.u64(),
    secret: reader.slice(SECRET_BYTES).slice(),
    identity: identityAt(reader.bytes, reader.take(32)),
    tick: reader.varintNumber(),
    tickLength: reader.varint(),
    time: reader.i64(),
    schema: identityAt(reader.bytes, reader.take(32)),
    calls: reader.varint(),
    bytesPerSecond: reader.varint(),
    description: (flags & DESCRIPTION) !== 0 ? decodeUtf8(limited(reader, DESCRIPTION_BYTES_MAX)) : null,
  };
}

function readPong(reader: Reader): Pong {
  return {
    kind: "pong",
    clientTime: reader.u64(),
    tick: reader.varintNumber(),
    time: reader.i64(),
    tickCost: reader.varint(),
    slack: readSlack(reader),
  };
}

function readSlack(reader: Reader): number | null {
  const flag = reader.u8();
  if (flag > 1) throw new ProtocolError(`a pong with flag ${flag}`);
  return flag === 1 ? Number(reader.zigzag64()) : null;
}

const CLOSE_REASONS: readonly CloseReason[] = [
  "Internal", "Normal", "BadMessage", "TooLarge", "Flooding", "TooSlow", "Unauthorized", "Unsupported", "Shutdown",
  "Internal", "Timeout", "Replaced", "Expired",
];

function readClosed(reader: Reader): Closed {
  const reason = CLOSE_REASONS[reader.u16()] ?? "Internal";
  return { kind: "closed", reason, message: decodeUtf8(limited(reader, TEXT_BYTES_MAX)) };
}
