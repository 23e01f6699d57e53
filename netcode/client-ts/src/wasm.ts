/** The module's own functions of movement, from its `.wasm` file: written once, run by server and browser. */

import { Reader, Writer } from "./bytes.ts";
import type { PredictionToken } from "./module.ts";
import type { StepFunction } from "./prediction.ts";
import { rowCodec } from "./row.ts";
import type { ModuleDef } from "./schema.ts";

interface Exports {
  readonly memory: WebAssembly.Memory;
  evertick_alloc(length: number): number;
  evertick_predict(index: number, row: number, rowLength: number, args: number, argsLength: number, seconds: number): void;
}

/** The predictions of a module. */
export interface Predictions {
  /** The function with this name, for {@link Client.predict}; throws a `TypeError` when the module has none. */
  step<T, A>(prediction: PredictionToken<T, A>): StepFunction<T, A>;
}

/**
 * Loads the functions that a module predicts with. `wasm` is the `.wasm` file that the server runs, or one of the same
 * source; `module` are its bindings. The functions may not call the host: one that does throws.
 */
export async function loadPredictions(wasm: BufferSource, module: ModuleDef): Promise<Predictions> {
  const compiled = await WebAssembly.compile(wasm);
  const { exports } = await WebAssembly.instantiate(compiled, trapping(compiled));
  for (const name of ["memory", "evertick_alloc", "evertick_predict"]) {
    if (!(name in exports)) throw new TypeError(`the .wasm file exports no ${name}: it has no predictions, or is of no module`);
  }
  return new Loaded(exports as unknown as Exports, module);
}

/** Imports that throw when they are called. */
function trapping(compiled: WebAssembly.Module): WebAssembly.Imports {
  const imports: Record<string, Record<string, () => never>> = {};
  for (const { module, name } of WebAssembly.Module.imports(compiled)) {
    (imports[module] ??= {})[name] = () => {
      throw new Error(`a prediction calls ${name}: it may depend on its arguments only`);
    };
  }
  return imports;
}

class Loaded implements Predictions {
  private readonly exports: Exports;
  private readonly module: ModuleDef;

  constructor(exports: Exports, module: ModuleDef) {
    this.exports = exports;
    this.module = module;
  }

  step<T, A>(prediction: PredictionToken<T, A>): StepFunction<T, A> {
    const { exports, module } = this;
    const index = module.predictions?.findIndex((one) => one?.name === prediction.prediction) ?? -1;
    const def = module.predictions?.[index];
    const row = def && module.rows[def.row];
    const reducer = def && module.reducers[def.reducer];
    if (!row || !reducer) throw new TypeError(`the module has no prediction ${prediction.prediction}`);
    const rows = new Buffer(exports, rowCodec(row.fields, row.name));
    const args = new Buffer(exports, rowCodec(reducer.params, reducer.name));
    return (values, given, seconds) => {
      rows.write(values as Record<string, unknown>);
      args.write(given as Record<string, unknown>);
      exports.evertick_predict(index, rows.at, rows.size, args.at, args.size, seconds);
      Object.assign(values as object, rows.read());
    };
  }
}

/** A row in the module's memory; predictions have flat rows, so one size does. */
class Buffer {
  readonly at: number;
  readonly size: number;
  private readonly exports: Exports;
  private readonly codec: ReturnType<typeof rowCodec>;

  constructor(exports: Exports, codec: ReturnType<typeof rowCodec>) {
    this.exports = exports;
    this.codec = codec;
    this.size = codec.size;
    this.at = exports.evertick_alloc(Math.max(1, codec.size));
    if (this.at === 0) throw new RangeError("the module's memory is full");
  }

  write(values: Record<string, unknown>): void {
    const out = new Writer();
    this.codec.write(out, values);
    this.memory().set(out.finish());
  }

  read(): Record<string, unknown> {
    return this.codec.read(Reader.of(this.memory()), this.size);
  }

  /** Memory may have moved since the last time. */
  private memory(): Uint8Array {
    return new Uint8Array(this.exports.memory.buffer, this.at, this.size);
  }
}
