/** Who wants to know of what. */

/** Ends a subscription. */
export type Unsubscribe = () => void;

/** Functions to be called, in the order in which they came. */
export class Listeners<A extends unknown[]> {
  private functions: readonly ((...args: A) => void)[] = [];

  /** Whether nobody listens. */
  get empty(): boolean {
    return this.functions.length === 0;
  }

  /** Adds a function. The same one twice is called twice. */
  add(listener: (...args: A) => void): Unsubscribe {
    const entry = (...args: A) => listener(...args);
    this.functions = [...this.functions, entry];
    return () => {
      this.functions = this.functions.filter((known) => known !== entry);
    };
  }

  /**
   * Calls all. An error of one is not the client's nor the next listener's business: it is thrown anew outside,
   * where the platform reports it like any uncaught error.
   */
  emit(...args: A): void {
    for (const listener of this.functions) {
      try {
        listener(...args);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
