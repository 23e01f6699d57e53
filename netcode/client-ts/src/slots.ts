/** Lists of slots. */

import type { Reader } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";

/** Slots are below this. */
export const SLOT_MAX = 1 << 20;

/** A list that is filled again and again, so that reading slots allocates nothing. */
export interface Slots {
  items: Int32Array;
  count: number;
}

/** An empty list. */
export function newSlots(): Slots {
  return { items: new Int32Array(256), count: 0 };
}

/** Reads a list of slots into `slots`: ascending, each below {@link SLOT_MAX}. */
export function readSlots(reader: Reader, slots: Slots): void {
  const head = reader.varint();
  const count = Math.floor(head / 2);
  if (count > SLOT_MAX) throw new ProtocolError(`${count} slots`);
  slots.count = count;
  if (count > slots.items.length) {
    // Each slot takes a bit at least; a list that can't be there takes no memory.
    if (count > reader.left * 8) throw new ProtocolError(`${count} slots do not fit into ${reader.left} bytes`);
    slots.items = new Int32Array(Math.max(count, slots.items.length * 2));
  }
  if (head % 2 === 0) readGaps(reader, slots.items, count);
  else readBitmap(reader, slots.items, count);
}

function readGaps(reader: Reader, items: Int32Array, count: number): void {
  let next = 0;
  for (let index = 0; index < count; index++) {
    const slot = next + reader.varint();
    if (slot >= SLOT_MAX) throw new ProtocolError(`slot ${slot}`);
    items[index] = slot;
    next = slot + 1;
  }
}

function readBitmap(reader: Reader, items: Int32Array, count: number): void {
  const first = reader.varint();
  const bitmap = reader.lengthed();
  let found = 0;
  for (let index = 0; index < bitmap.length; index++) {
    for (let bits = bitmap[index]!; bits !== 0; bits &= bits - 1) {
      const slot = first + index * 8 + (31 - Math.clz32(bits & -bits));
      if (found === count) throw new ProtocolError(`a bitmap with more than ${count} slots`);
      if (slot >= SLOT_MAX) throw new ProtocolError(`slot ${slot}`);
      items[found++] = slot;
    }
  }
  if (found !== count) throw new ProtocolError(`a bitmap of ${found} slots, not ${count}`);
}
