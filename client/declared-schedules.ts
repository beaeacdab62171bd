/** The schedules that views declare, brought to the Temporal server together with the registry. */
import type { ApplyPlan, Definitions } from '../features/index.js';
import type { Project } from '../project/index.js';
import type { ScheduleChange, ScheduleHome } from '../schedules/index.js';
import type { TemporalClient } from '../workers/index.js';
import { scheduleOwner } from './schedule-owner.js';
import { findRunningServer, type RunningServer, workers } from './temporal-run.js';

/** Changes of schedules by an apply. */
export interface AppliedSchedules {
  /** `no-server`: some are declared, but no Temporal server is configured or runs here. */
  readonly status: 'reconciled' | 'no-server' | 'none' | 'left-alone';
  readonly changes: readonly ScheduleChange[];
}

/**
 * Follows one apply. Schedules are deleted before the registry is committed and made or changed after it: whatever fails in between, the
 * next apply finds what is left to do, and no schedule fires for a view that has gone. Without schedules in the definitions, now or until
 * now, no server is asked.
 */
export class DeclaredSchedules {
  readonly #project: Project;
  #temporal: TemporalClient | undefined;
  #server: RunningServer | undefined;
  #planned: AppliedSchedules = { status: 'none', changes: [] };

  constructor(project: Project) {
    this.#project = project;
  }

  /** @throws `TEMPORAL_UNAVAILABLE` if there is a server that does not answer; `SCHEDULE_ALREADY_EXISTS` */
  async plan({ base, result }: ApplyPlan): Promise<AppliedSchedules> {
    if (!hasSchedules(base.definitions) && !hasSchedules(result)) return this.#planned;
    const home = await this.#home();
    if (home === undefined) this.#planned = { status: 'no-server', changes: [] };
    else {
      const { planSchedules } = await import('../schedules/index.js');
      this.#planned = { status: 'reconciled', changes: await planSchedules(home, result, base.definitions) };
    }
    return this.#planned;
  }

  /** Deletes what the plan deletes; to be called before the commit. */
  async deleteUndeclared(plan: ApplyPlan): Promise<void> {
    await this.#apply(plan, (action) => action === 'delete');
  }

  /** Makes and changes the rest; to be called after the commit. */
  async finish(plan: ApplyPlan): Promise<void> {
    await this.#apply(plan, (action) => action !== 'delete');
  }

  async close(): Promise<void> {
    await this.#temporal?.close();
    await this.#server?.release();
  }

  async #apply({ result }: ApplyPlan, only: (action: ScheduleChange['action']) => boolean): Promise<void> {
    const changes = this.#planned.changes.filter(({ action }) => only(action));
    const home = changes.length === 0 ? undefined : await this.#home();
    if (home === undefined) return;
    const { applySchedules } = await import('../schedules/index.js');
    await applySchedules(home, result, changes);
  }

  /** The configured server, or the local one of this project if it runs. */
  async #home(): Promise<ScheduleHome | undefined> {
    this.#server ??= await findRunningServer(this.#project);
    if (this.#server === undefined) return undefined;
    this.#temporal ??= await (await workers()).connectClient(this.#server.settings);
    const { client } = this.#temporal;
    return { client, ...(await scheduleOwner(this.#project)) };
  }
}

function hasSchedules({ featureViews }: Definitions): boolean {
  return [...featureViews.values()].some(({ schedule }) => schedule !== undefined);
}
