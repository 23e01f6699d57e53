/**
 * Typed names of rows and reducers. Bindings are made of them:
 *
 * ```ts
 * export interface Position { at: ev.Vec2 }
 * export const Position = ev.component<Position>("Position");
 * export const walk_to = ev.reducer<{ x: number; y: number }, void, never>("walk_to");
 * ```
 */

import { CallRefused } from "./errors.ts";
import type { ModuleDef } from "./schema.ts";

/** Only for the type checker: carries a type without a value of it. */
declare const carried: unique symbol;
declare const keyed: unique symbol;

/** A row type that is stored: a component, table or resource with rows `T`. */
export interface RowToken<T> {
  readonly row: string;
  readonly [carried]?: T;
}

/** A component: rows keyed by entity. */
export interface ComponentToken<T> extends RowToken<T> {
  readonly kind: "component";
}

/** A table: rows keyed by a field of theirs. */
export interface TableToken<T, K> extends RowToken<T> {
  readonly kind: "table";
  readonly key: keyof T & string;
  readonly [keyed]?: K;
}

/** A resource: one row. */
export interface ResourceToken<T> extends RowToken<T> {
  readonly kind: "resource";
}

/** An event: sent, never stored. */
export interface EventToken<T> {
  readonly kind: "event";
  readonly row: string;
  readonly [carried]?: T;
}

/** A reducer with arguments `A`, result `O` and refusals `R`. */
export interface ReducerToken<A, O, R> {
  readonly kind: "reducer";
  readonly reducer: string;
  readonly [carried]?: [A, O, R];
}

/** An input with arguments `A`: a reducer that is run for a tick. */
export interface InputToken<A> {
  readonly kind: "input";
  readonly reducer: string;
  readonly [carried]?: A;
}

/** A function of the module that foretells what inputs with arguments `A` do to a row `T`. */
export interface PredictionToken<T, A> {
  readonly kind: "prediction";
  readonly prediction: string;
  readonly [carried]?: [T, A];
}

/** The arguments of a reducer without parameters. */
export type NoArguments = Record<never, never>;

/** Names a component. */
export function component<T>(row: string): ComponentToken<T> {
  return { kind: "component", row };
}

/** Names a table with its key field. */
export function table<T, K>(row: string, key: keyof T & string): TableToken<T, K> {
  return { kind: "table", row, key };
}

/** Names a resource. */
export function resource<T>(row: string): ResourceToken<T> {
  return { kind: "resource", row };
}

/** Names an event. */
export function event<T>(row: string): EventToken<T> {
  return { kind: "event", row };
}

/** Names a reducer. */
export function reducer<A, O, R>(name: string): ReducerToken<A, O, R> {
  return { kind: "reducer", reducer: name };
}

/** Names an input. */
export function input<A>(name: string): InputToken<A> {
  return { kind: "input", reducer: name };
}

/** Names a prediction. */
export function prediction<T, A>(name: string): PredictionToken<T, A> {
  return { kind: "prediction", prediction: name };
}

/** A module's description, checked by its type alone. */
export function defineModule(module: ModuleDef): ModuleDef {
  return module;
}

/**
 * Whether `error` is a refusal by this reducer; it then has the reducer's type of refusal.
 *
 * ```ts
 * try { await client.call(gather, { node }) }
 * catch (error) { if (refused(gather, error) && error.refusal.type === "TooFar") console.log(error.refusal.meters) }
 * ```
 */
export function refused<R>(token: ReducerToken<unknown, unknown, R>, error: unknown): error is CallRefused<R> {
  return error instanceof CallRefused && error.reducer === token.reducer;
}
