/** Plans of pushes that arrive at the same time: they share looks at definitions and tables. */
import { type OnlineWriteDeps, SharedCheck } from '../online/index.js';
import { type PushPlan, type PushTo, planPush } from './push-plan.js';

/** One per process is enough. */
export class PushPlans {
  readonly #deps: OnlineWriteDeps;
  readonly #checks = new Map<string, SharedCheck<PushPlan>>();

  constructor(deps: OnlineWriteDeps) {
    this.#deps = deps;
  }

  /** A plan that was begun after the call. @throws as `planPush`; CATALOG_UNAVAILABLE if it takes too long */
  async plan(source: string, to: PushTo): Promise<PushPlan> {
    const name = `${to}/${source}`;
    const check = this.#checks.get(name) ?? new SharedCheck(() => planPush(this.#deps, source, to));
    this.#checks.set(name, check);
    try {
      return (await check.now()).value;
    } catch (error) {
      // Clients may ask for any name.
      this.#checks.delete(name);
      throw error;
    }
  }
}
