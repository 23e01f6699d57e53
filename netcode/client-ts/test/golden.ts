/** The golden corpus of `netcode/protocol`, and what its JSON means. */

import { readFileSync } from "node:fs";

import type { FieldDef, Type } from "../src/schema.ts";

export const FOLDER = new URL("../protocol/tests/golden/", `file://${process.cwd()}/`);

export function goldenJson<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")) as T;
}

export function goldenBytes(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(name, FOLDER)));
}

export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

const AXES = ["x", "y", "z", "w"] as const;

/** A value as the corpus writes it. */
export function toGolden(type: Type, value: unknown): unknown {
  if (typeof type === "string") {
    if (type === "u64" || type === "i64" || type === "entity_id") return String(value);
    // Times are numbers here: beyond 2^53 they are the nearest.
    if (type === "timestamp" || type === "duration") return time(value as number);
    if (type === "f32" || type === "f64") return float(value as number);
    if (/vec|quat/.test(type)) {
      const vector = value as Record<string, number>;
      return AXES.filter((axis) => axis in vector).map((axis) => float(vector[axis]!));
    }
    return value;
  }
  if ("enum" in type) return value;
  if ("struct" in type) return rowToGolden(type.struct.fields, value as Record<string, unknown>);
  if ("option" in type) return value === null ? null : toGolden(type.option, value);
  const of = "list" in type ? type.list : type.array[0];
  if (of === "u8") return toHex(value as Uint8Array);
  return Array.from(value as ArrayLike<unknown>, (item) => toGolden(of, item));
}

export function rowToGolden(fields: readonly FieldDef[], row: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(fields.map((field) => [field.name, toGolden(field.type, row[field.name])]));
}

/** An integer of the corpus as what a number of this client can hold of it. */
export function time(value: number | string): string {
  return String(BigInt(Number(value)));
}

/** Brings what the corpus says of times to the same precision. */
export function roundTimes(type: Type, value: unknown): unknown {
  if (type === "timestamp" || type === "duration") return time(value as string);
  if (typeof type === "string" || "enum" in type || value === null) return value;
  if ("struct" in type) return roundRow(type.struct.fields, value as Record<string, unknown>);
  if ("option" in type) return roundTimes(type.option, value);
  const of = "list" in type ? type.list : type.array[0];
  return Array.isArray(value) ? value.map((item) => roundTimes(of, item)) : value;
}

export function roundRow(fields: readonly FieldDef[], row: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(fields.map((field) => [field.name, roundTimes(field.type, row[field.name])]));
}

export function float(value: number): number | string {
  if (Number.isNaN(value)) return "NaN";
  if (value === Infinity) return "inf";
  if (value === -Infinity) return "-inf";
  return Object.is(value, -0) ? "-0" : value;
}

export function fromFloat(value: number | string): number {
  return typeof value === "number" ? value : { NaN, inf: Infinity, "-inf": -Infinity, "-0": -0 }[value]!;
}
