/** All predictions of a client. */

import type { Values } from "./blend.ts";
import type { ComponentToken, InputToken, PredictionToken } from "./module.ts";
import { type Predicted, Prediction, type PredictionOptions, type StepFunction } from "./prediction.ts";
import type { Replica } from "./replica.ts";
import type { EntityId } from "./values.ts";

/** Tells predictions of inputs and of news. */
export class Foresight {
  private readonly replica: Replica;
  private readonly seconds: number;
  private readonly inputTick: (now: number) => number;
  private readonly all = new Map<Prediction, number>();

  /**
   * @param seconds the length of a tick.
   * @param inputTick which tick an input of a moment is for, with fraction.
   */
  constructor(replica: Replica, seconds: number, inputTick: (now: number) => number) {
    this.replica = replica;
    this.seconds = seconds;
    this.inputTick = inputTick;
  }

  /** Begins a prediction, with what is known of `tick`; throws a `TypeError` when the module has no such row or input. */
  add<T, A>(
    what: PredictionToken<T, A> | { readonly component: ComponentToken<T>; readonly input: InputToken<A> },
    entity: EntityId,
    step: StepFunction<T, A>,
    options: PredictionOptions,
    tick: number,
  ): Predicted<T> {
    const { module, entities, tables } = this.replica;
    const def = "component" in what ? undefined : module.predictions?.find((one) => one?.name === what.prediction);
    const row = "component" in what ? module.rows.findIndex((other) => other?.name === what.component.row) : def?.row;
    const reducer = "component" in what ? module.reducers.findIndex((other) => other?.name === what.input.reducer) : def?.reducer;
    const table = tables[row ?? -1];
    if (!table || !module.reducers[reducer ?? -1]) throw new TypeError("the module has no such prediction");
    const prediction = new Prediction(table, () => entities.local(entity), step as StepFunction<unknown, unknown>, this.seconds, options);
    this.all.set(prediction, reducer!);
    this.guard(prediction, () => prediction.follow(tick));
    return {
      get: (now = performance.now()) => prediction.get(this.inputTick(now), now) as T | undefined,
      get correction() {
        return prediction.correction;
      },
      stop: () => this.remove(prediction),
    };
  }

  private remove(prediction: Prediction): void {
    this.all.delete(prediction);
    prediction.clear();
  }

  /** An input of ours is for `tick`. */
  input(tick: number, reducer: number, args: Readonly<Values>): void {
    for (const [prediction, of] of this.all) if (of === reducer) this.guard(prediction, () => prediction.input(tick, args));
  }

  /** Something has come from the server, the newest of `tick`. */
  follow(tick: number): void {
    for (const prediction of this.all.keys()) this.guard(prediction, () => prediction.follow(tick));
  }

  /** Forgets inputs: another session begins. */
  clear(): void {
    for (const prediction of this.all.keys()) prediction.clear();
  }

  /** A step that throws ends its prediction; the error is reported like any uncaught one. */
  private guard(prediction: Prediction, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.remove(prediction);
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
