/** Sends heavy activities to task queues of their own, so that they leave light ones their slots. The bundler takes this file by its path. */
import type { ActivityInput, Next, WorkflowInterceptors, WorkflowOutboundCallsInterceptor } from '@temporalio/workflow';
import { sandboxSettings } from './sandbox-settings.js';

type ScheduleActivity = Next<WorkflowOutboundCallsInterceptor, 'scheduleActivity'>;

class HeavyTaskQueue implements WorkflowOutboundCallsInterceptor {
  /** A replay compares an activity's type and id, not its task queue: a run may be replayed by workers with another one. */
  async scheduleActivity(input: ActivityInput, next: ScheduleActivity): Promise<unknown> {
    const queue = sandboxSettings()?.queues?.find(({ activities }) => activities.includes(input.activityType));
    if (queue === undefined) return next(input);
    return next({ ...input, options: { ...input.options, taskQueue: queue.taskQueue } });
  }
}

export const interceptors = (): WorkflowInterceptors => ({ outbound: [new HeavyTaskQueue()] });
