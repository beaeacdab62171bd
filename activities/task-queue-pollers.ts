/** The projects whose workers poll a task queue: each worker's identity on the Temporal server ends with its project. */
import { hostname } from 'node:os';
import type { WorkflowService } from '@temporalio/client';

const MARK = /moraine-project:([0-9a-f]{12})$/;
/** A poll lasts a minute. Who has not polled for longer is gone, though the server remembers it for some minutes. */
const ALIVE_MS = 75_000;

/** `TASK_QUEUE_TYPE_..` of Temporal's API. */
const TYPES = { workflows: 1, activities: 2 } as const;

/** A task queue, and what is polled from it. */
export interface PolledQueue {
  readonly taskQueue: string;
  readonly kind: keyof typeof TYPES;
}

/** A worker's identity on the server, by which workers and commands of other projects notice it. @param project the project's identity */
export function workerIdentity(project: string): string {
  return `${process.pid}@${hostname()} moraine-project:${project}`;
}

/** A client, or a connection of a worker with its namespace. */
export interface DescribesQueues {
  readonly workflowService: Pick<WorkflowService, 'describeTaskQueue'>;
  readonly options: { readonly namespace: string };
}

/** The projects other than `own` whose workers poll a task queue, as far as they say so. */
export async function otherProjects(
  { workflowService, options }: DescribesQueues,
  { taskQueue, kind }: PolledQueue,
  own: string,
): Promise<readonly string[]> {
  const { pollers } = await workflowService.describeTaskQueue({
    namespace: options.namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: TYPES[kind],
  });
  return projectsOf(pollers ?? []).filter((project) => project !== own);
}

/** A poller, as the server describes it. */
export interface Poller {
  readonly identity?: string | null;
  readonly lastAccessTime?: { readonly seconds?: unknown } | null;
}

/** Whether a poller does not say of which project it is: a worker of an earlier version, or one of a user's own. */
export const isUnmarked = ({ identity }: Poller): boolean => !MARK.test(identity ?? '');

/** The projects that pollers say they are of; each once. */
export function projectsOf(pollers: readonly Poller[]): readonly string[] {
  const alive = pollers.filter(
    ({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000 > Date.now() - ALIVE_MS,
  );
  return [...new Set(alive.flatMap(({ identity }) => MARK.exec(identity ?? '')?.[1] ?? []))];
}
