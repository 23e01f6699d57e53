/**
 * Evertick's client for browsers and Node: connects to a server, keeps a replica of what it may see, and calls reducers
 * by typed names that `evertick-codegen` generates.
 *
 * ```ts
 * import { connect, refused } from "@evertick/client";
 * import { gather, module, Node, Position } from "./generated/bitcraft_lite.ts";
 *
 * const client = await connect({ url: "ws://localhost:7778", module, token });
 * client.onInsert(Node, (entity, node) => console.log(entity, node.kind));
 * for (const [entity, position, node] of client.query(Position, Node)) draw(position.at, node.kind);
 * try {
 *   await client.call(gather, { node });
 * } catch (error) {
 *   if (refused(gather, error)) show(error.message, error.refusal.type);
 * }
 * ```
 */

export { Client, type ConnectionState } from "./client.ts";
export { connect } from "./connect.ts";
export type { Conditions } from "./conditions.ts";
export { CallFailed, CallRefused, ConnectionClosed, ProtocolError, QueryRefused, SchemaMismatch } from "./errors.ts";
export type { CloseReason, FailCode } from "./errors.ts";
export type { InterpolationOptions } from "./interpolation.ts";
export type { Unsubscribe } from "./listeners.ts";
export { component, defineModule, event, input, prediction, reducer, refused, resource, table } from "./module.ts";
export type {
  ComponentToken, EventToken, InputToken, NoArguments, PredictionToken, ReducerToken, ResourceToken, RowToken, TableToken,
} from "./module.ts";
export type { ConnectOptions, Reconnect } from "./options.ts";
export type { Predicted, PredictionOptions, StepFunction } from "./prediction.ts";
export type { Query } from "./queries.ts";
export type { EnumType, FieldDef, ModuleDef, PredictionDef, ReducerDef, RefusalDef, RowDef, RowKind, StructType, Type, WireDef } from "./schema.ts";
export { and, type Condition, type Field, field, ME, near, not, or, type Select, select, within } from "./select.ts";
export type { Lane, Transport, WebSocketConstructor, WebSocketLike } from "./socket.ts";
export type { ClientStats, QualityStats } from "./stats.ts";
export { sessionTickets, type TicketStore } from "./ticket.ts";
export type { Duration, EntityId, Identity, Timestamp, Vec2, Vec3, Vec4 } from "./values.ts";
export type { Smooth, View } from "./view.ts";
export { loadPredictions, type Predictions } from "./wasm.ts";
