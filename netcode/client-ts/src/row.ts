/**
 * Row bytes: arguments, results, refusals, events and the values of variable fields.
 *
 * Little-endian, fields one behind the other, no padding. A variable field (string, list, option) is
 * `(offset u32, len u32)` in the fixed part plus bytes in a tail. Tails stand depth first, in field order and
 * without gaps, so one cursor checks them all.
 */

import { decodeUtf8, encodeUtf8, Reader, Writer } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import type { FieldDef, PlainType, Type } from "./schema.ts";

/** Reads and writes values of one type. */
export interface Codec {
  /** Bytes in the fixed part. */
  readonly size: number;
  read(row: RowBytes, at: number): unknown;
  /** Writes `value` at `at` of the row that starts at `row.start`; throws a `TypeError` when it is none. */
  write(row: RowWriter, at: number, value: unknown): void;
}

/** One row's bytes, read in order: `cursor` is where the next tail must start. */
export interface RowBytes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** The row's first byte in `view`. */
  readonly start: number;
  readonly length: number;
  cursor: number;
}

/** A row that is being written. */
export interface RowWriter {
  readonly out: Writer;
  readonly start: number;
}

/** The codec of rows with these fields; values are objects. */
export interface RowCodec {
  readonly size: number;
  /** Reads the next `length` bytes as one row; {@link ProtocolError} when they are not. */
  read(reader: Reader, length: number): Record<string, unknown>;
  /** Appends a row. */
  write(out: Writer, values: Readonly<Record<string, unknown>>): void;
}

/** The codec of rows with these fields. `place` names them in errors. */
export function rowCodec(fields: readonly FieldDef[], place: string): RowCodec {
  const codecs = fields.map((field) => codecOf(field.type, `${place}.${field.name}`));
  const size = codecs.reduce((sum, codec) => sum + codec.size, 0);
  return {
    size,
    read(reader, length) {
      const start = reader.take(length);
      if (length < size) throw new ProtocolError(`${place}: a row of ${length} bytes where ${size} are needed`);
      const row: RowBytes = { bytes: reader.bytes, view: reader.view, start, length, cursor: size };
      const values: Record<string, unknown> = {};
      let at = 0;
      for (let index = 0; index < codecs.length; index++) {
        const codec = codecs[index]!;
        values[fields[index]!.name] = codec.read(row, at);
        at += codec.size;
      }
      if (row.cursor !== length) throw new ProtocolError(`${place}: a row of ${length} bytes that ends at ${row.cursor}`);
      return values;
    },
    write(out, values) {
      const row: RowWriter = { out, start: out.reserve(size) };
      let at = 0;
      for (let index = 0; index < codecs.length; index++) {
        const codec = codecs[index]!;
        codec.write(row, at, values[fields[index]!.name]);
        at += codec.size;
      }
    },
  };
}

/** The codec of values of `type`. `place` names the field in errors. */
export function codecOf(type: Type, place: string): Codec {
  if (typeof type === "string") {
    const plain = PLAIN[type];
    return { size: plain.size, read: plain.read, write: (row, at, value) => plain.write(row, at, value, place) };
  }
  if ("enum" in type) return enumCodec(type.enum.size, type.enum.name, new Set(type.enum.variants.map((v) => v.value)), place);
  if ("struct" in type) return structCodec(type.struct.fields, place);
  if ("array" in type) return arrayCodec(type.array[0], type.array[1], place);
  if ("list" in type) return listCodec(type.list, place);
  return optionCodec(type.option, place);
}

interface PlainCodec {
  readonly size: number;
  read(row: RowBytes, at: number): unknown;
  write(row: RowWriter, at: number, value: unknown, place: string): void;
}

type Get = (view: DataView, at: number) => number;
type Put = (view: DataView, at: number, value: number) => void;

function number(size: number, get: Get, set: Put, min = -Infinity, max = Infinity): PlainCodec {
  return {
    size,
    read: (row, at) => get(row.view, row.start + at),
    write: (row, at, value, place) => set(row.out.data, row.start + at, checkNumber(value, min, max, place)),
  };
}

function checkNumber(value: unknown, min: number, max: number, place: string): number {
  if (typeof value !== "number") throw new TypeError(`${place} must be a number, not ${typeof value}`);
  if (min !== -Infinity && !(Number.isInteger(value) && value >= min && value <= max)) {
    throw new RangeError(`${place} must be a whole number from ${min} to ${max}, not ${value}`);
  }
  return value;
}

const AXES = ["x", "y", "z", "w"] as const;

function vector(lanes: number, get: Get, set: Put, min = -Infinity, max = Infinity): PlainCodec {
  const axes = AXES.slice(0, lanes);
  return {
    size: lanes * 4,
    read: (row, at) => {
      const value: Record<string, number> = {};
      for (let lane = 0; lane < lanes; lane++) value[axes[lane]!] = get(row.view, row.start + at + lane * 4);
      return value;
    },
    write: (row, at, value, place) => {
      const from = objectOf(value, place);
      axes.forEach((axis, lane) => {
        set(row.out.data, row.start + at + lane * 4, checkNumber(from[axis], min, max, `${place}.${axis}`));
      });
    },
  };
}

function big(get: (view: DataView, at: number) => bigint, signed: boolean): PlainCodec {
  return {
    size: 8,
    read: (row, at) => get(row.view, row.start + at),
    write: (row, at, value, place) => {
      if (typeof value !== "bigint") throw new TypeError(`${place} must be a bigint, not ${typeof value}`);
      const wrapped = signed ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value);
      if (wrapped !== value) throw new RangeError(`${place} does not fit into 64 bits: ${value}`);
      row.out.data.setBigUint64(row.start + at, BigInt.asUintN(64, value), true);
    },
  };
}

const time: PlainCodec = {
  size: 8,
  read: (row, at) => Number(row.view.getBigInt64(row.start + at, true)),
  write: (row, at, value, place) => {
    const number = checkNumber(value, -Infinity, Infinity, place);
    if (Number.isNaN(number)) throw new RangeError(`${place} is NaN`);
    const max = 0x7fffffffffffffffn;
    const bits = number >= 2 ** 63 ? max : number <= -(2 ** 63) ? -max - 1n : BigInt(Math.round(number));
    row.out.data.setBigInt64(row.start + at, bits, true);
  },
};

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** 32 bytes as 64 hex digits. */
export function identityAt(bytes: Uint8Array, at: number): string {
  let hex = "";
  for (let index = 0; index < 32; index++) hex += HEX[bytes[at + index]!];
  return hex;
}

/** The 32 bytes of 64 hex digits. */
export function hexBytes(hex: unknown, place: string): Uint8Array {
  if (typeof hex !== "string" || !/^[0-9a-f]{64}$/.test(hex)) throw new TypeError(`${place} must be 64 hex digits`);
  return Uint8Array.from({ length: 32 }, (_, index) => parseInt(hex.slice(index * 2, index * 2 + 2), 16));
}

const F32: [Get, Put] = [(view, at) => view.getFloat32(at, true), (view, at, value) => view.setFloat32(at, value, true)];
const I32: [Get, Put] = [(view, at) => view.getInt32(at, true), (view, at, value) => view.setInt32(at, value, true)];
const U32: [Get, Put] = [(view, at) => view.getUint32(at, true), (view, at, value) => view.setUint32(at, value, true)];
const I32_RANGE: [number, number] = [-0x80000000, 0x7fffffff];
const U32_RANGE: [number, number] = [0, 0xffffffff];
const U64 = big((view, at) => view.getBigUint64(at, true), false);

const PLAIN: Record<PlainType, PlainCodec> = {
  bool: {
    size: 1,
    read: (row, at) => {
      const value = row.bytes[row.start + at]!;
      if (value > 1) throw new ProtocolError(`byte ${value} is not a bool`);
      return value === 1;
    },
    write: (row, at, value, place) => {
      if (typeof value !== "boolean") throw new TypeError(`${place} must be a boolean, not ${typeof value}`);
      row.out.data.setUint8(row.start + at, value ? 1 : 0);
    },
  },
  u8: number(1, (view, at) => view.getUint8(at), (view, at, value) => view.setUint8(at, value), 0, 0xff),
  i8: number(1, (view, at) => view.getInt8(at), (view, at, value) => view.setInt8(at, value), -0x80, 0x7f),
  u16: number(2, (view, at) => view.getUint16(at, true), (view, at, value) => view.setUint16(at, value, true), 0, 0xffff),
  i16: number(2, (view, at) => view.getInt16(at, true), (view, at, value) => view.setInt16(at, value, true), -0x8000, 0x7fff),
  u32: number(4, ...U32, ...U32_RANGE),
  i32: number(4, ...I32, ...I32_RANGE),
  u64: U64,
  i64: big((view, at) => view.getBigInt64(at, true), true),
  f32: number(4, ...F32),
  f64: number(8, (view, at) => view.getFloat64(at, true), (view, at, value) => view.setFloat64(at, value, true)),
  vec2: vector(2, ...F32),
  vec3: vector(3, ...F32),
  vec4: vector(4, ...F32),
  quat: vector(4, ...F32),
  ivec2: vector(2, ...I32, ...I32_RANGE),
  ivec3: vector(3, ...I32, ...I32_RANGE),
  ivec4: vector(4, ...I32, ...I32_RANGE),
  uvec2: vector(2, ...U32, ...U32_RANGE),
  uvec3: vector(3, ...U32, ...U32_RANGE),
  uvec4: vector(4, ...U32, ...U32_RANGE),
  entity_id: U64,
  identity: {
    size: 32,
    read: (row, at) => identityAt(row.bytes, row.start + at),
    write: (row, at, value, place) => {
      const bytes = hexBytes(value, place);
      bytes.forEach((byte, index) => row.out.data.setUint8(row.start + at + index, byte));
    },
  },
  timestamp: time,
  duration: time,
  string: {
    size: 8,
    read: (row, at) => {
      const [start, length] = tail(row, at, 1);
      return length === 0 ? "" : decodeUtf8(row.bytes.subarray(start, start + length));
    },
    write: (row, at, value, place) => {
      if (typeof value !== "string") throw new TypeError(`${place} must be a string, not ${typeof value}`);
      const bytes = encodeUtf8(value);
      const offset = putTail(row, at, bytes.length, bytes.length);
      bytes.forEach((byte, index) => row.out.data.setUint8(row.start + offset + index, byte));
    },
  },
};

/** Takes the tail of the variable field at `at`: where it starts in `row.view`, and its count of elements. */
function tail(row: RowBytes, at: number, stride: number): [number, number] {
  const offset = row.view.getUint32(row.start + at, true);
  const count = row.view.getUint32(row.start + at + 4, true);
  const want = count === 0 ? 0 : row.cursor;
  if (offset !== want) throw new ProtocolError(`a variable field points to ${offset}, not to ${want}`);
  const end = row.cursor + count * stride;
  if (end > row.length) throw new ProtocolError(`a variable field ends at ${end} of ${row.length} bytes`);
  row.cursor = end;
  return [row.start + offset, count];
}

/** Writes `(offset, count)` at `at` and makes room for the elements; returns their offset in the row. */
function putTail(row: RowWriter, at: number, count: number, bytes: number): number {
  if (count === 0) return 0;
  const offset = row.out.reserve(bytes) - row.start;
  row.out.data.setUint32(row.start + at, offset, true);
  row.out.data.setUint32(row.start + at + 4, count, true);
  return offset;
}

function enumCodec(size: number, name: string, values: ReadonlySet<number>, place: string): Codec {
  const plain = PLAIN[size === 1 ? "u8" : size === 2 ? "u16" : "u32"];
  return {
    size,
    read(row, at) {
      const value = plain.read(row, at) as number;
      if (!values.has(value)) throw new ProtocolError(`${value} is no value of enum ${name}`);
      return value;
    },
    write(row, at, value) {
      if (!values.has(value as number)) throw new TypeError(`${place}: ${String(value)} is no value of enum ${name}`);
      plain.write(row, at, value, place);
    },
  };
}

function structCodec(fields: readonly FieldDef[], place: string): Codec {
  const codecs = fields.map((field) => codecOf(field.type, `${place}.${field.name}`));
  return {
    size: codecs.reduce((sum, codec) => sum + codec.size, 0),
    read(row, at) {
      const value: Record<string, unknown> = {};
      codecs.forEach((codec, index) => {
        value[fields[index]!.name] = codec.read(row, at);
        at += codec.size;
      });
      return value;
    },
    write(row, at, value) {
      const from = objectOf(value, place);
      codecs.forEach((codec, index) => {
        codec.write(row, at, from[fields[index]!.name]);
        at += codec.size;
      });
    },
  };
}

function arrayCodec(of: Type, length: number, place: string): Codec {
  const element = codecOf(of, place);
  const make = TYPED[of as PlainType];
  return {
    size: element.size * length,
    read: (row, at) => readElements(row, row.start + at, length, element, make),
    write(row, at, value) {
      const items = itemsOf(value, place);
      if (items.length !== length) throw new TypeError(`${place} must have ${length} elements, not ${items.length}`);
      for (let index = 0; index < length; index++) element.write(row, at + index * element.size, items[index]);
    },
  };
}

function listCodec(of: Type, place: string): Codec {
  const element = codecOf(of, place);
  const make = TYPED[of as PlainType];
  return {
    size: 8,
    read(row, at) {
      const [start, count] = tail(row, at, Math.max(element.size, 1));
      return readElements(row, start, count, element, make);
    },
    write(row, at, value) {
      const items = itemsOf(value, place);
      const offset = putTail(row, at, items.length, items.length * element.size);
      for (let index = 0; index < items.length; index++) element.write(row, offset + index * element.size, items[index]);
    },
  };
}

function optionCodec(of: Type, place: string): Codec {
  const element = codecOf(of, place);
  return {
    size: 8,
    read(row, at) {
      if (row.view.getUint32(row.start + at + 4, true) > 1) throw new ProtocolError("an option with several values");
      const [start, count] = tail(row, at, Math.max(element.size, 1));
      return count === 0 ? null : element.read(row, start - row.start);
    },
    write(row, at, value) {
      if (value === null || value === undefined) return;
      element.write(row, putTail(row, at, 1, element.size), value);
    },
  };
}

type Typed = { readonly BYTES_PER_ELEMENT: number; new (bytes: ArrayBuffer): ArrayLike<number> };

/** Sequences of these are typed arrays. */
const TYPED: Partial<Record<PlainType, Typed>> = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  f64: Float64Array,
};

function readElements(row: RowBytes, start: number, count: number, element: Codec, make: Typed | undefined): unknown {
  if (make) {
    // A copy: the message's buffer is not ours to keep, and the elements may not be aligned in it.
    const bytes = row.bytes.slice(start, start + count * make.BYTES_PER_ELEMENT);
    return new make(bytes.buffer);
  }
  const items: unknown[] = [];
  for (let index = 0; index < count; index++) items.push(element.read(row, start - row.start + index * element.size));
  return items;
}

function objectOf(value: unknown, place: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw new TypeError(`${place} must be an object, not ${String(value)}`);
  return value as Record<string, unknown>;
}

function itemsOf(value: unknown, place: string): ArrayLike<unknown> {
  if (!Array.isArray(value) && !ArrayBuffer.isView(value)) throw new TypeError(`${place} must be a list`);
  return value as unknown as ArrayLike<unknown>;
}
