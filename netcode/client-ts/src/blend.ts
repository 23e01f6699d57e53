/** Rows between rows: for pictures between ticks, and corrections that are not seen as jumps. */

import type { FieldDef } from "./schema.ts";

/** A row as an object. */
export type Values = Record<string, unknown>;

type Vector = Record<string, number>;

/** The fields of a row that lie between others: floats and vectors of them that do not wrap. Others are as in the newer row. */
export class Blend {
  private readonly numbers: readonly string[];
  private readonly vectors: readonly string[];

  constructor(fields: readonly FieldDef[]) {
    const even = fields.filter(({ wire }) => (wire?.wrap ?? null) === null);
    const named = (...types: string[]) => even.filter(({ type }) => types.includes(type as string)).map(({ name }) => name);
    this.numbers = named("f32", "f64");
    this.vectors = named("vec2", "vec3", "vec4");
  }

  /** `part` of the way from `from` to `to`, in a new object. */
  between(from: Values, to: Values, part: number): Values {
    return this.combine(from, to, (a, b) => a + (b - a) * part);
  }

  /** `to` moved by `share` of `error`, in a new object. */
  moved(to: Values, error: Values, share: number): Values {
    return this.combine(error, to, (off, value) => value + off * share);
  }

  /** How far `from` is from `to`, as a row of differences. */
  difference(from: Values, to: Values): Values {
    return this.combine(from, to, (a, b) => a - b);
  }

  /** The largest difference of a field, as a length. */
  size(difference: Values): number {
    const lengths = this.vectors.map((name) => Math.hypot(...Object.values(difference[name] as Vector)));
    return Math.max(0, ...this.numbers.map((name) => Math.abs(difference[name] as number)), ...lengths);
  }

  private combine(one: Values, other: Values, mix: (a: number, b: number) => number): Values {
    const out = { ...other };
    for (const name of this.numbers) out[name] = mix(one[name] as number, other[name] as number);
    for (const name of this.vectors) {
      const [a, b] = [one[name] as Vector, other[name] as Vector];
      out[name] = Object.fromEntries(Object.keys(b).map((axis) => [axis, mix(a[axis]!, b[axis]!)]));
    }
    return out;
  }
}
