/** Steps that know a table by a plan: where a catalog gives access to files table by table, they ask for it first. */
import type { Project } from '../project/index.js';
import { asActivity } from './step.js';

type Steps = Readonly<Record<string, (input: never) => Promise<unknown>>>;

/** The activities, each of which can open the files of the table that its input names, the stored plan among them. */
export function withReachedTables<T extends object>(project: Project, activities: T): T {
  const steps = Object.entries(activities as Steps).map(([name, step]) => [
    name,
    async (input: never) => {
      const { table, planLocation, windows } = (input ?? {}) as Readonly<Record<string, unknown>>;
      const isPlanned = typeof planLocation === 'string' || windows !== undefined;
      if (isPlanned && typeof table === 'string') {
        const file = typeof planLocation === 'string' ? planLocation : undefined;
        await asActivity(() => project.reach(table, file));
      }
      return step(input);
    },
  ]);
  return Object.fromEntries(steps) as T;
}
