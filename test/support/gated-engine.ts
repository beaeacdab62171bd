/** An engine whose work waits, or fails, when a test says so. */
import type { Engine } from '../../engine/index.js';

/** What opens and closes the way to an engine. */
export interface Gate {
  readonly engine: Engine;
  /** All work fails from now on; undefined: it does not. */
  fail(error: Error | undefined): void;
  close(): void;
  /** Lets the work through that has waited longest. */
  letOne(): void;
  open(): void;
}

/** An engine whose work waits while a gate is closed. */
export function gated(engine: Engine): Gate {
  const waiting: (() => void)[] = [];
  let isOpen = true;
  let failure: Error | undefined;
  const withConnection: Engine['withConnection'] = async (...work) => {
    if (!isOpen) await new Promise<void>((resolve) => waiting.push(resolve));
    if (failure !== undefined) throw failure;
    return await engine.withConnection(...work);
  };
  return {
    engine: new Proxy(engine, {
      get: (target, name) => {
        const value: unknown = name === 'withConnection' ? withConnection : Reflect.get(target, name, target);
        return value;
      },
    }),
    fail: (error) => void (failure = error),
    close: () => void (isOpen = false),
    letOne: () => waiting.shift()?.(),
    open: () => {
      isOpen = true;
      for (const resolve of waiting.splice(0)) resolve();
    },
  };
}
