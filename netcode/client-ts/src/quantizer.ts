/**
 * Quantizers: floats as multiples of a step. All arithmetic is IEEE f64 in exactly the order of the wire
 * specification, so every implementation gets the same bits.
 */

import type { WireDef } from "./schema.ts";

/** A quantizer, made ready. */
export interface Quantizer {
  /** The distance of two neighbouring values. */
  readonly step: number;
  /** How many values there are before they wrap; 0 without wrap. */
  readonly period: number;
  /** The range of `floor(v / step + 0.5)`. */
  readonly min: number;
  readonly max: number;
}

const I32_MAX = 2 ** 31 - 1;

/** The quantizer of a field; `undefined` when its values are always sent raw. */
export function quantizerOf(wire: WireDef | null | undefined): Quantizer | undefined {
  if (!wire) return undefined;
  const { step, bits, wrap } = wire;
  if (wrap !== null && wrap !== undefined) {
    const period = Math.max(Math.floor(wrap / step + 0.5), 1);
    if (period > I32_MAX) return undefined;
    return { step: wrap / period, period, min: -(2 ** 31), max: I32_MAX };
  }
  const half = bits === null || bits === undefined ? 2 ** 31 : 2 ** (bits - 1);
  return { step, period: 0, min: -half, max: half - 1 };
}

/** The multiple nearest to `value`; `undefined` when there is none that fits. */
export function quantize(quantizer: Quantizer, value: number): number | undefined {
  const multiple = Math.floor(value / quantizer.step + 0.5);
  if (!(multiple >= quantizer.min && multiple <= quantizer.max)) return undefined;
  if (quantizer.period === 0) return multiple + 0; // no negative zero
  const rest = multiple % quantizer.period;
  return rest < 0 ? rest + quantizer.period : rest + 0;
}

/** The value of a multiple, as f64; an `f32` field rounds it once more. */
export function dequantize(quantizer: Quantizer, multiple: number): number {
  return multiple * quantizer.step;
}
