/** A topic: a set of entities and rows that comes, changes and goes together. */

/** What a topic is of. */
export type TopicKind =
  | { readonly kind: "cell" | "detail"; readonly space: number; readonly x: number; readonly y: number }
  | { readonly kind: "owner" }
  | { readonly kind: "group"; readonly group: bigint }
  | { readonly kind: "everyone" }
  | { readonly kind: "query" };

/** One topic that the server sends us, with its roster. */
export class Topic {
  readonly id: number;
  readonly of: TopicKind;
  /** The roster's version. */
  version: number;
  /** The local number of each slot's entity; free slots are absent or -1. */
  readonly slots: number[] = [];
  /** The number of the frame with which each slot's entity entered. */
  readonly since: number[] = [];

  constructor(id: number, of: TopicKind, version: number) {
    this.id = id;
    this.of = of;
    this.version = version;
  }
}
