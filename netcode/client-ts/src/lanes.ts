/** Columns of numbers of up to 32 bits, and of floats: scalars, vectors, bools and enums. */

import { narrowBits, takeBits, wideBits } from "./bits.ts";
import type { Reader } from "./bytes.ts";
import { badEncoding, type Column, PACKED, RAW, VARINT } from "./encoding.ts";
import { ProtocolError } from "./errors.ts";
import { type Quantizer, quantizerOf } from "./quantizer.ts";
import type { WireDef } from "./schema.ts";

/** The number types of lanes. A bool is a `u8` that is 0 or 1. */
export type LaneType = "bool" | "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "f32" | "f64";

type Lanes = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array;

interface LaneKind {
  readonly bytes: number;
  readonly min: number;
  readonly max: number;
  readonly float: boolean;
  make(length: number): Lanes;
  read(view: DataView, at: number): number;
}

const KINDS: Record<LaneType, LaneKind> = {
  bool: integers(1, 0, 1, (length) => new Uint8Array(length), (view, at) => view.getUint8(at)),
  u8: integers(1, 0, 0xff, (length) => new Uint8Array(length), (view, at) => view.getUint8(at)),
  i8: integers(1, -0x80, 0x7f, (length) => new Int8Array(length), (view, at) => view.getInt8(at)),
  u16: integers(2, 0, 0xffff, (length) => new Uint16Array(length), (view, at) => view.getUint16(at, true)),
  i16: integers(2, -0x8000, 0x7fff, (length) => new Int16Array(length), (view, at) => view.getInt16(at, true)),
  u32: integers(4, 0, 0xffffffff, (length) => new Uint32Array(length), (view, at) => view.getUint32(at, true)),
  i32: integers(4, -0x80000000, 0x7fffffff, (length) => new Int32Array(length), (view, at) => view.getInt32(at, true)),
  f32: floats(4, (length) => new Float32Array(length), (view, at) => view.getFloat32(at, true)),
  f64: floats(8, (length) => new Float64Array(length), (view, at) => view.getFloat64(at, true)),
};

function integers(
  bytes: number,
  min: number,
  max: number,
  make: (length: number) => Lanes,
  read: (view: DataView, at: number) => number,
): LaneKind {
  return { bytes, min, max, float: false, make, read };
}

function floats(bytes: number, make: (length: number) => Lanes, read: (view: DataView, at: number) => number): LaneKind {
  return { bytes, min: 0, max: 0, float: true, make, read };
}

/** Values of 1 to 4 lanes. Lane `l` of row `r` is `data[r * lanes + l]`. */
export class LaneColumn implements Column {
  data: Lanes;
  readonly lanes: number;
  private readonly kind: LaneKind;
  private readonly bool: boolean;
  private readonly allowed: ReadonlySet<number> | null;
  private readonly quantizer: Quantizer | undefined;
  private readonly place: string;

  constructor(
    type: LaneType,
    lanes: number,
    wire: WireDef | null | undefined,
    place: string,
    allowed: ReadonlySet<number> | null = null,
  ) {
    this.kind = KINDS[type];
    this.data = this.kind.make(0);
    this.lanes = lanes;
    this.bool = type === "bool";
    this.allowed = allowed;
    this.quantizer = this.kind.float ? quantizerOf(wire) : undefined;
    this.place = place;
  }

  grow(capacity: number): void {
    const grown = this.kind.make(capacity * this.lanes);
    grown.set(this.data as never); // both are of one kind
    this.data = grown;
  }

  copy(from: number, to: number): void {
    const { data, lanes } = this;
    for (let lane = 0; lane < lanes; lane++) data[to * lanes + lane] = data[from * lanes + lane]!;
  }

  take(other: LaneColumn, from: number, at: number): boolean {
    const { data, lanes } = this;
    let changed = false;
    for (let lane = 0; lane < lanes; lane++) {
      const value = other.data[from * lanes + lane]!;
      if (Object.is(data[at * lanes + lane], value)) continue;
      data[at * lanes + lane] = value;
      changed = true;
    }
    return changed;
  }

  clear(): void {}

  get(at: number): unknown {
    const { data, lanes } = this;
    if (lanes === 1) return this.bool ? data[at] === 1 : data[at];
    const first = at * lanes;
    const x = data[first]!;
    const y = data[first + 1]!;
    if (lanes === 2) return { x, y };
    if (lanes === 3) return { x, y, z: data[first + 2]! };
    return { x, y, z: data[first + 2]!, w: data[first + 3]! };
  }

  decode(reader: Reader, rows: Int32Array, count: number, changed: Uint8Array): void {
    const encoding = reader.u8();
    if (encoding === RAW) this.decodeRaw(reader, rows, count, changed);
    else if (encoding === PACKED && this.quantizer) this.decodeQuantized(reader, rows, count, changed, this.quantizer);
    else if (encoding === PACKED && !this.kind.float) this.decodePacked(reader, rows, count, changed);
    else if (encoding === VARINT && !this.kind.float) this.decodeVarints(reader, rows, count, changed);
    else throw badEncoding(this.place, encoding);
    if (this.allowed) this.check(this.allowed, rows, count);
  }

  private decodeRaw(reader: Reader, rows: Int32Array, count: number, changed: Uint8Array): void {
    const { data, lanes, kind } = this;
    const stride = lanes * kind.bytes;
    let at = reader.take(count * stride);
    for (let index = 0; index < count; index++) {
      const first = rows[index]! * lanes;
      for (let lane = 0; lane < lanes; lane++, at += kind.bytes) {
        const value = kind.read(reader.view, at);
        if (this.bool && value > 1) throw new ProtocolError(`${this.place}: byte ${value} is not a bool`);
        if (!Object.is(data[first + lane], value)) {
          data[first + lane] = value;
          changed[index] = 1;
        }
      }
    }
  }

  private decodeQuantized(
    reader: Reader,
    rows: Int32Array,
    count: number,
    changed: Uint8Array,
    { step }: Quantizer,
  ): void {
    const { data, lanes } = this;
    const { view } = reader;
    for (let lane = 0; lane < lanes; lane++) {
      const width = reader.u8();
      const base = Number(reader.zigzag64());
      if (base < -(2 ** 31) || base >= 2 ** 31) throw new ProtocolError(`${this.place}: base ${base}`);
      const start = takeBits(reader, count, width);
      const mask = width < 32 ? (1 << width) - 1 : 0;
      for (let index = 0; index < count; index++) {
        const bits =
          width <= 25 ? narrowBits(view, start, index, width, mask) : wideBits(view, start, index, width);
        const at = rows[index]! * lanes + lane;
        const old = data[at];
        data[at] = (base + bits) * step;
        if (!Object.is(data[at], old)) changed[index] = 1;
      }
    }
  }

  private decodePacked(reader: Reader, rows: Int32Array, count: number, changed: Uint8Array): void {
    const { data, lanes, kind } = this;
    for (let lane = 0; lane < lanes; lane++) {
      const width = reader.u8();
      const base = Number(kind.min < 0 ? reader.zigzag64() : reader.varint64());
      const start = takeBits(reader, count, width);
      for (let index = 0; index < count; index++) {
        const value = this.inRange(base + wideBits(reader.view, start, index, width));
        const at = rows[index]! * lanes + lane;
        if (data[at] !== value) {
          data[at] = value;
          changed[index] = 1;
        }
      }
      this.inRange(base);
    }
  }

  private decodeVarints(reader: Reader, rows: Int32Array, count: number, changed: Uint8Array): void {
    const { data, lanes, kind } = this;
    for (let lane = 0; lane < lanes; lane++) {
      for (let index = 0; index < count; index++) {
        const value = this.inRange(kind.min < 0 ? Number(reader.zigzag64()) : reader.varintNumber());
        const at = rows[index]! * lanes + lane;
        if (data[at] !== value) {
          data[at] = value;
          changed[index] = 1;
        }
      }
    }
  }

  private inRange(value: number): number {
    const { min, max } = this.kind;
    if (value < min || value > max) throw new ProtocolError(`${this.place}: ${value} is out of range`);
    return value;
  }

  private check(allowed: ReadonlySet<number>, rows: Int32Array, count: number): void {
    for (let index = 0; index < count; index++) {
      const value = this.data[rows[index]!]!;
      if (!allowed.has(value)) throw new ProtocolError(`${this.place}: ${value} is no value of the enum`);
    }
  }
}
