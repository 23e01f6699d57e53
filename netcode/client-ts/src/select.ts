/**
 * Queries by types instead of text:
 *
 * ```ts
 * const cheap = select(Listing).where(and(field(Listing, "kind").is(ItemKind.Sword), field(Listing, "price").between(10, 50)));
 * const query = await client.subscribe(cheap);
 * ```
 *
 * What a query may say, and what it costs: docs/queries.md.
 */

import { hexBytes } from "./row.ts";
import type { RowToken } from "./module.ts";
import type { FieldDef, ModuleDef, Type } from "./schema.ts";

/** What a row must be like. */
export interface Condition {
  /** Its text, for a module; throws a `TypeError` where it does not fit. @internal */
  text(module: ModuleDef): string;
}

/** A query that is being put together. */
export class Select {
  private readonly row: string;
  private readonly joined: readonly string[];
  private readonly condition: Condition | undefined;

  /** @internal Use {@link select}. */
  constructor(row: string, joined: readonly string[], condition: Condition | undefined) {
    this.row = row;
    this.joined = joined;
    this.condition = condition;
  }

  /** Only where the same entity has rows of these types as well; the condition may be about their fields. */
  join(...rows: RowToken<unknown>[]): Select {
    return new Select(this.row, [...this.joined, ...rows.map(({ row }) => row)], this.condition);
  }

  /** Only rows that are like this, and like what was said before. */
  where(condition: Condition): Select {
    return new Select(this.row, this.joined, this.condition ? and(this.condition, condition) : condition);
  }

  /** The query's text, for a module; throws a `TypeError` where it does not fit. */
  text(module: ModuleDef): string {
    const joins = this.joined.map((row) => ` JOIN ${row} USING (entity)`).join("");
    const where = this.condition ? ` WHERE ${this.condition.text(module)}` : "";
    return `SELECT ${this.row}.* FROM ${this.row}${joins}${where}`;
  }
}

/** All rows of a type, to begin with. */
export function select(row: RowToken<unknown>): Select {
  return new Select(row.row, [], undefined);
}

/** Whoever asks, as an identity. */
export const ME = ":me";

/** A field to compare with values `V`. */
export class Field<V> {
  private readonly row: string;
  private readonly path: readonly string[];

  /** @internal Use {@link field}. */
  constructor(row: string, path: readonly string[]) {
    this.row = row;
    this.path = path;
  }

  is(value: V): Condition {
    return this.compare("=", value);
  }

  not(value: V): Condition {
    return this.compare("<>", value);
  }

  below(value: V): Condition {
    return this.compare("<", value);
  }

  atMost(value: V): Condition {
    return this.compare("<=", value);
  }

  above(value: V): Condition {
    return this.compare(">", value);
  }

  atLeast(value: V): Condition {
    return this.compare(">=", value);
  }

  /** From `least` to `most`, both included. */
  between(least: V, most: V): Condition {
    return this.says((name, type) => `${name} BETWEEN ${constant(type, least, name)} AND ${constant(type, most, name)}`);
  }

  /** One of these, of which there is one at least. */
  in(values: readonly V[]): Condition {
    return this.says((name, type) => `${name} IN (${values.map((value) => constant(type, value, name)).join(", ")})`);
  }

  /** Whether an option is empty. */
  isNull(): Condition {
    return this.says((name) => `${name} IS NULL`);
  }

  private compare(operator: string, value: V): Condition {
    return this.says((name, type) => `${name} ${operator} ${constant(type, value, name)}`);
  }

  private says(text: (name: string, type: Type) => string): Condition {
    const { path, row } = this;
    const name = [row, ...path.map((part) => `"${part}"`)].join(".");
    return { text: (module) => text(name, typeOf(module, row, path)) };
  }
}

/** A field of a row type, or a lane or field of it: `field(Position, "at", "x")`. */
export function field<T, K extends keyof T & string>(row: RowToken<T>, name: K): Field<NonNullable<T[K]>>;
export function field<T, K extends keyof T & string, L extends keyof T[K] & string>(row: RowToken<T>, name: K, part: L): Field<NonNullable<T[K][L]>>;
export function field(row: RowToken<unknown>, ...path: string[]): Field<unknown> {
  return new Field(row.row, path);
}

/** All of these. */
export function and(...conditions: Condition[]): Condition {
  return together(conditions, " AND ", "TRUE");
}

/** One of these at least. */
export function or(...conditions: Condition[]): Condition {
  return together(conditions, " OR ", "FALSE");
}

/** Not this. */
export function not(condition: Condition): Condition {
  return { text: (module) => `NOT (${condition.text(module)})` };
}

/** The entity is at most `radius` metres from a point; join the row type that places it. */
export function near(at: { readonly x: number; readonly y: number }, radius: number, space = 0): Condition {
  return { text: () => `near(${decimal(at.x)}, ${decimal(at.y)}, ${decimal(radius)}, ${space})` };
}

/** The entity is in a rectangle, its border included; join the row type that places it. */
export function within(min: { readonly x: number; readonly y: number }, max: { readonly x: number; readonly y: number }, space = 0): Condition {
  return { text: () => `within(${[min.x, min.y, max.x, max.y].map(decimal).join(", ")}, ${space})` };
}

function together(conditions: readonly Condition[], word: string, none: string): Condition {
  return {
    text: (module) => (conditions.length === 0 ? none : conditions.map((condition) => `(${condition.text(module)})`).join(word)),
  };
}

function typeOf(module: ModuleDef, row: string, path: readonly string[]): Type {
  let fields: readonly FieldDef[] | undefined = module.rows.find((def) => def?.name === row)?.fields;
  let type: Type | undefined;
  for (const part of path) {
    const found: Type | undefined = fields?.find(({ name }) => name === part)?.type ?? laneOf(type, part);
    if (!found) throw new TypeError(`${row} has no field ${path.join(".")}`);
    type = found;
    fields = typeof type === "object" && "struct" in type ? type.struct.fields : undefined;
  }
  if (!type) throw new TypeError(`${row} is compared as a whole`);
  return typeof type === "object" && "option" in type ? type.option : type;
}

function laneOf(type: Type | undefined, lane: string): Type | undefined {
  if (typeof type !== "string" || !["x", "y", "z", "w"].includes(lane)) return undefined;
  return /^[iu]vec/.test(type) ? (type.startsWith("i") ? "i32" : "u32") : /^(vec|quat)/.test(type) ? "f32" : undefined;
}

/** A value as the text of a query. */
function constant(type: Type, value: unknown, place: string): string {
  if (typeof type === "object" && "enum" in type) {
    const variant = type.enum.variants.find((one) => one.value === value);
    if (!variant) throw new TypeError(`${place}: ${String(value)} is no value of enum ${type.enum.name}`);
    return `'${variant.name}'`;
  }
  if (type === "identity" && value === ME) return ME;
  if (type === "identity") hexBytes(value, place);
  if (typeof value === "string") return `'${value.replaceAll("'", "''")}'`;
  if (typeof value === "boolean") return value ? "TRUE" : "FALSE";
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") return decimal(value);
  throw new TypeError(`${place} can't be compared with ${String(value)}`);
}

/** A number without an exponent where that is possible. */
function decimal(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`${value} can't stand in a query`);
  return Number.isInteger(value) ? BigInt(value).toString() : value.toString();
}
