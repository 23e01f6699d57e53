/** Entities that the replica knows, by id and by local number. */

import type { EntityId } from "./values.ts";

/** Hands out local numbers: small, dense, and used again once their entity is forgotten. */
export class Entities {
  private readonly byId = new Map<EntityId, number>();
  private readonly ids: EntityId[] = [];
  /** In how many topics each entity is. */
  private readonly topics: number[] = [];
  private readonly free: number[] = [];
  private readonly leaving: number[] = [];

  /** How many there are. */
  get count(): number {
    return this.byId.size;
  }

  /** The local number of `id`, or -1. */
  local(id: EntityId): number {
    return this.byId.get(id) ?? -1;
  }

  /** The id of a local number. */
  id(local: number): EntityId {
    return this.ids[local]!;
  }

  /** `id` is in one more topic. */
  enter(id: EntityId): number {
    let local = this.byId.get(id);
    if (local === undefined) {
      local = this.free.pop() ?? this.ids.length;
      this.byId.set(id, local);
      this.ids[local] = id;
      this.topics[local] = 0;
    }
    this.topics[local]!++;
    return local;
  }

  /** The entity is in one topic less. */
  leave(local: number): void {
    if (--this.topics[local]! === 0) this.leaving.push(local);
  }

  /** Forgets the entities that are in no topic any more. Their numbers are free from now on. */
  sweep(): void {
    for (const local of this.leaving) {
      const id = this.ids[local]!;
      if (this.topics[local] !== 0 || this.byId.get(id) !== local) continue; // came back, or listed twice
      this.byId.delete(id);
      this.free.push(local);
    }
    this.leaving.length = 0;
  }
}
