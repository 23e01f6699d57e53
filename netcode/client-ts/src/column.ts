/**
 * Columns: all values of one field, one per row of a table.
 *
 * The hot path of the client. A column of numbers is a typed array; reading a packed column is one 32-bit load,
 * shift and mask per value, and makes no objects. Values become objects when somebody looks at a row.
 */

import type { Reader } from "./bytes.ts";
import { badEncoding, type Column, OPAQUE, RAW } from "./encoding.ts";
import { ProtocolError } from "./errors.ts";
import { LaneColumn } from "./lanes.ts";
import { type Codec, codecOf, type RowBytes } from "./row.ts";
import type { FieldDef, Type } from "./schema.ts";
import { WideColumn } from "./wide.ts";

/** An empty column for `field`. `place` names it in errors. */
export function columnOf(field: FieldDef, place: string): Column {
  const { type } = field;
  if (typeof type === "object" && "enum" in type) {
    const { size, variants } = type.enum;
    const lane = size === 1 ? "u8" : size === 2 ? "u16" : "u32";
    return new LaneColumn(lane, 1, null, place, new Set(variants.map((variant) => variant.value)));
  }
  if (typeof type === "object") return new ValueColumn(type, place);
  switch (type) {
    case "bool":
      return new LaneColumn("bool", 1, null, place);
    case "u8":
    case "i8":
    case "u16":
    case "i16":
    case "u32":
    case "i32":
    case "f32":
    case "f64":
      return new LaneColumn(type, 1, field.wire, place);
    case "vec2":
      return new LaneColumn("f32", 2, field.wire, place);
    case "vec3":
      return new LaneColumn("f32", 3, field.wire, place);
    case "vec4":
    case "quat":
      return new LaneColumn("f32", 4, field.wire, place);
    case "ivec2":
    case "ivec3":
    case "ivec4":
      return new LaneColumn("i32", Number(type.at(-1)), null, place);
    case "uvec2":
    case "uvec3":
    case "uvec4":
      return new LaneColumn("u32", Number(type.at(-1)), null, place);
    case "u64":
    case "entity_id":
      return new WideColumn("u64", place);
    case "i64":
      return new WideColumn("i64", place);
    case "timestamp":
    case "duration":
      return new WideColumn("time", place);
    case "identity":
    case "string":
      return new ValueColumn(type, place);
  }
}

/** Values that are no numbers: identities, arrays, structs, texts, lists, options. */
class ValueColumn implements Column {
  private readonly values: unknown[] = [];
  private readonly codec: Codec;
  private readonly variable: boolean;
  private readonly stride: number;
  private readonly place: string;

  constructor(type: Type, place: string) {
    this.codec = codecOf(type, place);
    this.variable = type === "string" || (typeof type === "object" && ("list" in type || "option" in type));
    this.stride = this.codec.size;
    this.place = place;
  }

  grow(): void {}

  copy(from: number, to: number): void {
    this.values[to] = this.values[from];
  }

  take(other: ValueColumn, from: number, at: number): boolean {
    const value = other.values[from];
    if (sameValue(this.values[at], value)) return false;
    this.values[at] = value;
    return true;
  }

  clear(at: number): void {
    this.values[at] = undefined;
  }

  get(at: number): unknown {
    return this.values[at];
  }

  decode(reader: Reader, rows: Int32Array, count: number, changed: Uint8Array): void {
    const encoding = reader.u8();
    if (encoding !== (this.variable ? OPAQUE : RAW)) throw badEncoding(this.place, encoding);
    for (let index = 0; index < count; index++) {
      const value = this.variable ? this.readOpaque(reader) : this.readRaw(reader);
      const row = rows[index]!;
      if (!sameValue(this.values[row], value)) {
        this.values[row] = value;
        changed[index] = 1;
      }
    }
  }

  private readRaw(reader: Reader): unknown {
    const start = reader.take(this.stride);
    const row = { bytes: reader.bytes, view: reader.view, start, length: this.stride, cursor: this.stride };
    return this.codec.read(row, 0);
  }

  /** `len`, then the tail of a row that has this field only. */
  private readOpaque(reader: Reader): unknown {
    const length = reader.varint();
    const scratch = fieldOnly(length, length === 0 ? EMPTY : reader.lengthed());
    if (scratch.length > ROW_BYTES_MAX) throw new ProtocolError(`${this.place}: a row of ${scratch.length} bytes`);
    const value = this.codec.read(scratch, 0);
    if (scratch.cursor !== scratch.length) throw new ProtocolError(`${this.place}: a tail that is too long`);
    return value;
  }
}

/** The most bytes of one row. */
const ROW_BYTES_MAX = 1 << 20;

const EMPTY = new Uint8Array(0);

/** The row that consists of one variable field. */
function fieldOnly(length: number, tail: Uint8Array): RowBytes {
  const bytes = new Uint8Array(8 + tail.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length === 0 ? 0 : 8, true);
  view.setUint32(4, length, true);
  bytes.set(tail, 8);
  return { bytes, view, start: 0, length: bytes.length, cursor: 8 };
}

/** Whether two values of one type are the same, bit for bit but for NaN. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (ArrayBuffer.isView(a) || Array.isArray(a)) {
    const left = a as unknown as ArrayLike<unknown>;
    const right = b as unknown as ArrayLike<unknown>;
    if (left.length !== right.length) return false;
    for (let index = 0; index < left.length; index++) {
      if (!sameValue(left[index], right[index])) return false;
    }
    return true;
  }
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key in left) if (!sameValue(left[key], right[key])) return false;
  return true;
}
