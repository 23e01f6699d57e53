/** How the domain's scalars and vectors look in TypeScript. */

/** Names one entity of a world, for ever; 64 bits. `0n` is no entity. */
export type EntityId = bigint;

/** Who somebody is, across sessions: 32 bytes as 64 lower-case hex digits. */
export type Identity = string;

/**
 * A moment: microseconds since the Unix epoch. A number, exact within ±2^53 (until the year 2255); what lies
 * beyond is rounded, and written back as the nearest `i64`.
 */
export type Timestamp = number;

/** A span of time in microseconds, with the precision of {@link Timestamp}. */
export type Duration = number;

/** Two numbers: `Vec2`, `IVec2` and `UVec2` of the module. */
export interface Vec2 {
  x: number;
  y: number;
}

/** Three numbers. */
export interface Vec3 extends Vec2 {
  z: number;
}

/** Four numbers; also a quaternion. */
export interface Vec4 extends Vec3 {
  w: number;
}
