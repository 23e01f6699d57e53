/**
 * What a client knows of a module: its rows and reducers, as the module's description says them.
 *
 * The shapes are those of the description's JSON, so bindings and a description sent by a server are read alike.
 */

import { ProtocolError } from "./errors.ts";

/** A type without parts. */
export type PlainType = (typeof PLAIN_TYPES)[number];

const PLAIN_TYPES = [
  "bool", "u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64",
  "vec2", "vec3", "vec4", "quat", "ivec2", "ivec3", "ivec4", "uvec2", "uvec3", "uvec4",
  "entity_id", "identity", "timestamp", "duration", "string",
] as const;

/** The type of a field, an argument or a result. */
export type Type =
  | PlainType
  | { readonly enum: EnumType }
  | { readonly array: readonly [Type, number] }
  | { readonly struct: StructType }
  | { readonly list: Type }
  | { readonly option: Type };

/** A C-like enum: named values of one unsigned integer of `size` bytes. */
export interface EnumType {
  readonly name: string;
  readonly size: number;
  readonly variants: readonly { readonly name: string; readonly value: number }[];
}

/** A nested struct of fields of fixed size. */
export interface StructType {
  readonly name: string;
  readonly fields: readonly FieldDef[];
}

/** How clients are sent a float field that is not sent exactly: as multiples of `step`. */
export interface WireDef {
  readonly step: number;
  /** Bits of a value; absent for a position in its cell, where they follow from the cell. */
  readonly bits?: number | null;
  /** The period of a value that wraps. */
  readonly wrap?: number | null;
}

/** A named field of a row, struct, call or refusal. */
export interface FieldDef {
  readonly name: string;
  readonly type: Type;
  readonly wire?: WireDef | null;
}

/** What rows of a type are keyed by. */
export type RowKind = "component" | { readonly table: { readonly key: number } } | "resource" | "event";

/** A row type. */
export interface RowDef {
  readonly name: string;
  readonly kind: RowKind;
  readonly fields: readonly FieldDef[];
  /** The field that places the entity in space. */
  readonly spatial?: { readonly at: number; readonly space?: number | null } | null;
  /** Whether updates are sent so that the newest values count and some may be lost; absent: as the server sees fit. */
  readonly latest?: boolean | null;
  /** Whether rows are sent of what is very near only. */
  readonly detail?: boolean | null;
  /** Whether rows are sent only to those who ask for them by a query. */
  readonly on_demand?: boolean | null;
}

/** One way in which a reducer may refuse. */
export interface RefusalDef {
  readonly name: string;
  readonly fields: readonly FieldDef[];
}

/** A reducer that clients may call. */
export interface ReducerDef {
  readonly name: string;
  /** `"input"`: it is sent for a tick. Absent: `"call"`. */
  readonly kind?: string | null;
  readonly params: readonly FieldDef[];
  readonly returns?: Type | null;
  readonly refusals?: readonly RefusalDef[] | null;
}

/** A function of the module's `.wasm` file that foretells what an input does to a row. */
export interface PredictionDef {
  readonly name: string;
  /** The row type's number. */
  readonly row: number;
  /** The number of the reducer whose arguments it takes. */
  readonly reducer: number;
}

/** A module. Positions are the numbers on the wire; `null` stands for what is not for clients. */
export interface ModuleDef {
  readonly name: string;
  /** SHA-256 of the whole description, as hex. */
  readonly hash: string;
  readonly rows: readonly (RowDef | null)[];
  readonly reducers: readonly (ReducerDef | null)[];
  /** Positions are their numbers in the `.wasm` file; `null` as above. */
  readonly predictions?: readonly (PredictionDef | null)[] | null;
}

/** Types nested deeper than this are not read. */
const DEPTH_MAX = 8;

/** Bytes of a type's fixed part. */
export function sizeOf(type: Type): number {
  if (typeof type === "string") return PLAIN_SIZES[type];
  if ("enum" in type) return type.enum.size;
  if ("array" in type) return sizeOf(type.array[0]) * type.array[1];
  if ("struct" in type) return type.struct.fields.reduce((sum, field) => sum + sizeOf(field.type), 0);
  return 8;
}

/** Whether all values of a type take the same bytes. */
export function isFlat(type: Type): boolean {
  if (typeof type === "string") return type !== "string";
  if ("array" in type) return isFlat(type.array[0]);
  if ("struct" in type) return type.struct.fields.every((field) => isFlat(field.type));
  return "enum" in type;
}

const PLAIN_SIZES: Record<PlainType, number> = {
  bool: 1, u8: 1, i8: 1, u16: 2, i16: 2, u32: 4, i32: 4, u64: 8, i64: 8, f32: 4, f64: 8,
  vec2: 8, vec3: 12, vec4: 16, quat: 16, ivec2: 8, ivec3: 12, ivec4: 16, uvec2: 8, uvec3: 12, uvec4: 16,
  entity_id: 8, identity: 32, timestamp: 8, duration: 8, string: 8,
};

/** Reads the description that a server sent. Throws {@link ProtocolError} where it is not one. */
export function readDescription(json: string, hash: string): ModuleDef {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new ProtocolError("the server's description is not JSON");
  }
  const module = object(value, "description");
  const rows = list(module.rows, "rows").map((row, index) => rowDef(row, `rows[${index}]`));
  const reducers = list(module.reducers, "reducers").map((reducer, index) => reducerDef(reducer, `reducers[${index}]`));
  const predictions = list(module.predictions ?? [], "predictions").map((prediction, index) => {
    const place = `predictions[${index}]`;
    const def = object(prediction, place);
    return {
      name: string(def.name, place),
      row: integer(def.row, place, rows.length - 1),
      reducer: integer(def.reducer, place, reducers.length - 1),
    };
  });
  return { name: string(module.name, "name"), hash, rows, reducers, predictions };
}

/**
 * What in `theirs` is not as `ours` expects it: everything that our bindings name must be there with the same
 * fields. The server may have more.
 */
export function incompatibilities(ours: ModuleDef, theirs: ModuleDef): string[] {
  const problems: string[] = [];
  for (const row of ours.rows) {
    if (row === null) continue;
    const other = theirs.rows.find((candidate) => candidate?.name === row.name);
    if (!other) problems.push(`row ${row.name} is gone`);
    else if (!same([row.kind, row.fields], [other.kind, other.fields])) problems.push(`row ${row.name} has changed`);
  }
  for (const reducer of ours.reducers) {
    if (reducer === null) continue;
    const other = theirs.reducers.find((candidate) => candidate?.name === reducer.name);
    if (!other) problems.push(`reducer ${reducer.name} is gone`);
    else if (!same(shape(reducer), shape(other))) problems.push(`reducer ${reducer.name} has changed`);
  }
  return problems;
}

function shape(reducer: ReducerDef): unknown {
  return [reducer.kind ?? "call", reducer.params, reducer.returns ?? null, reducer.refusals ?? []];
}

/** Equality of JSON values; absent and null are the same. */
function same(a: unknown, b: unknown): boolean {
  if (a === b || (a ?? null) === (b ?? null)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].every((key) => same(left[key], right[key]));
}

function rowDef(value: unknown, place: string): RowDef {
  const row = object(value, place);
  const fields = list(row.fields, place).map((field, index) => fieldDef(field, `${place}.fields[${index}]`, 0));
  let kind: RowKind = "component";
  if (row.kind === "resource" || row.kind === "event") kind = row.kind;
  else if (row.kind !== "component") {
    const table = object(object(row.kind, place).table, place);
    kind = { table: { key: integer(table.key, `${place}.kind`, fields.length - 1) } };
  }
  const def = {
    name: string(row.name, place),
    kind,
    fields,
    latest: flag(row.latest, `${place}.latest`),
    detail: flag(row.detail, `${place}.detail`),
    on_demand: flag(row.on_demand, `${place}.on_demand`),
  };
  if (row.spatial === undefined || row.spatial === null) return def;
  const at = integer(object(row.spatial, place).at, `${place}.spatial`, fields.length - 1);
  return { ...def, spatial: { at } };
}

function reducerDef(value: unknown, place: string): ReducerDef {
  const reducer = object(value, place);
  const fields = (of: unknown, where: string) =>
    list(of, where).map((field, index) => fieldDef(field, `${where}[${index}]`, 0));
  return {
    name: string(reducer.name, place),
    kind: reducer.kind === "input" ? "input" : "call",
    params: fields(reducer.params, `${place}.params`),
    returns: reducer.returns === undefined || reducer.returns === null ? null : readType(reducer.returns, place, 0),
    refusals: list(reducer.refusals ?? [], place).map((refusal) => {
      const def = object(refusal, place);
      return { name: string(def.name, place), fields: fields(def.fields, `${place}.refusals`) };
    }),
  };
}

function fieldDef(value: unknown, place: string, depth: number): FieldDef {
  const field = object(value, place);
  const name = string(field.name, place);
  const type = readType(field.type, place, depth);
  if (field.wire === undefined || field.wire === null) return { name, type };
  const wire = object(field.wire, place);
  if (typeof wire.step !== "number" || !(wire.step > 0)) throw bad(`${place}.wire.step`);
  const bits = wire.bits === undefined || wire.bits === null ? null : integer(wire.bits, `${place}.wire.bits`, 32);
  const wrap = typeof wire.wrap === "number" ? wire.wrap : null;
  return { name, type, wire: { step: wire.step, bits, wrap } };
}

function readType(value: unknown, place: string, depth: number): Type {
  if (depth >= DEPTH_MAX) throw bad(`${place}: types nested too deep`);
  if (typeof value === "string") {
    const plain = PLAIN_TYPES.find((name) => name === value);
    if (plain === undefined) throw bad(`${place}: type ${value}`);
    return plain;
  }
  const type = object(value, place);
  const inner = (of: unknown) => readType(of, place, depth + 1);
  if ("list" in type) return { list: inner(type.list) };
  if ("option" in type) return { option: inner(type.option) };
  if ("array" in type) {
    const [of, length] = list(type.array, place);
    return { array: [inner(of), integer(length, place, 1 << 20)] };
  }
  if ("struct" in type) {
    const of = object(type.struct, place);
    const fields = list(of.fields, place).map((field) => fieldDef(field, place, depth + 1));
    return { struct: { name: string(of.name, place), fields } };
  }
  const of = object(type.enum, place);
  const size = of.size;
  if (size !== 1 && size !== 2 && size !== 4) throw bad(`${place}: enum size`);
  const variants = list(of.variants, place).map((variant) => {
    const def = object(variant, place);
    return { name: string(def.name, place), value: integer(def.value, place, 0xffffffff) };
  });
  return { enum: { name: string(of.name, place), size, variants } };
}

function bad(place: string): ProtocolError {
  return new ProtocolError(`the server's description is not valid at ${place}`);
}

function object(value: unknown, place: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw bad(place);
  return value as Record<string, unknown>;
}

function list(value: unknown, place: string): unknown[] {
  if (!Array.isArray(value)) throw bad(place);
  return value;
}

function string(value: unknown, place: string): string {
  if (typeof value !== "string") throw bad(place);
  return value;
}

function flag(value: unknown, place: string): boolean | null {
  if (value === undefined || value === null || typeof value === "boolean") return value ?? null;
  throw bad(place);
}

function integer(value: unknown, place: string, max: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > max) throw bad(place);
  return value;
}
