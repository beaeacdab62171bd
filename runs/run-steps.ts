/** Steps of a run, read from its history, which outlives its workers. */
import type { WorkflowExecutionDescription, WorkflowHandle } from '@temporalio/client';
import type { LoadedDataConverter, ProtoFailure } from '@temporalio/common';
import {
  decodeFromPayloadsAtIndex,
  decodeOptionalFailureToOptionalError,
  decodeUserMetadata,
} from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { HeartbeatDetails } from '../activities/index.js';
import { memberOf, text } from './list-runs.js';

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
type Event = NonNullable<History['events']>[number];
type Timestamp = Event['eventTime'];
type Raw = WorkflowExecutionDescription['raw'];
type Pending = NonNullable<Raw['pendingActivities']>[number];
type PendingTask = Raw['pendingWorkflowTask'];

/** An activity or child workflow of a run. Times are ISO-8601. */
export interface RunStep {
  /** Its purpose, as the workflow says; else its type. */
  readonly name: string;
  readonly type: string;
  readonly state: 'waiting' | 'running' | 'retrying' | 'done' | 'failed' | 'cancelled';
  /** How often it was tried. */
  readonly attempts: number;
  readonly startedAt: string;
  readonly endedAt: string | null;
  /** Why it failed, or why its last attempt did: the code and the message. */
  readonly failure: string | null;
  /** When it is tried again, if it waits for that. */
  readonly retriesAt: string | null;
  /** The query that Trino runs for it, by its last heartbeat; null: none, or it has ended. */
  readonly query: NonNullable<HeartbeatDetails['trino']> | null;
}

/** A snapshot that a run has committed. */
export interface RunCommit {
  readonly table: string | null;
  readonly snapshotId: string;
}

/** Requests to object stores, and bytes of the bodies of objects. */
export interface StorageTraffic {
  readonly requests: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/** Steps from the history of a run, and pending activities. */
export interface RunSteps {
  readonly steps: readonly RunStep[];
  readonly commits: readonly RunCommit[];
  /** Workflow ids of the runs that an entry has started or joined. */
  readonly joined: readonly string[];
  /** What its steps asked of object stores, as their results say; without attempts that failed. Null: nothing. */
  readonly storageTraffic: StorageTraffic | null;
  /** Signals received, by name. */
  readonly signals: Readonly<Record<string, number>>;
  /** Why a run in flight does not come to its next step; null: it does. */
  readonly blocked: string | null;
  readonly events: number;
}

type TaskFailure = string | typeof TIMED_OUT | null;
type Step = { -readonly [Key in keyof RunStep]: RunStep[Key] };

/** The activity that starts or joins a run and answers with its id. */
const REQUEST = /^request/;
const COMMIT = /^commit/;

/** Reads the steps of a run. */
export async function readSteps(
  converter: LoadedDataConverter,
  history: History,
  { pendingActivities, pendingWorkflowTask }: Pick<Raw, 'pendingActivities' | 'pendingWorkflowTask'>,
): Promise<RunSteps> {
  const reader = new StepReader(converter);
  for (const event of history.events ?? []) await reader.read(event);
  for (const activity of pendingActivities ?? []) await reader.readPending(activity);
  const blocked = blockedBy(pendingWorkflowTask, reader.taskFailure);
  return { ...reader.found(), blocked, events: history.events?.length ?? 0 };
}

/** In place of the failure of a workflow task that no worker has ended in time. */
const TIMED_OUT = Symbol('timed out');

/** A worker takes a workflow task within milliseconds. */
const UNTAKEN_MS = 5_000;

function blockedBy(task: PendingTask, failure: TaskFailure): string | null {
  if (task == null) return null;
  const since = timeOf(task.scheduledTime);
  const state: number | null | undefined = task.state;
  const isUntaken = state === SCHEDULED && since !== null && Date.now() - Date.parse(since) >= UNTAKEN_MS;
  const attempt = `attempt ${task.attempt ?? 1}`;
  if (failure === TIMED_OUT && !isUntaken)
    return `its workflow code does not come to an end, or its worker has died, ${attempt}`;
  if (failure !== null && failure !== TIMED_OUT) return `its workflow code fails, ${attempt}: ${failure}`;
  return isUntaken ? `no worker has taken its next step since ${since}` : null;
}

class StepReader {
  readonly #converter: LoadedDataConverter;
  /** By the event that scheduled them. */
  readonly #steps = new Map<string, Step>();
  readonly #byActivityId = new Map<string, Step>();
  readonly #commits: RunCommit[] = [];
  readonly #joined: string[] = [];
  readonly #signals = new Map<string, number>();
  #storageTraffic: StorageTraffic | null = null;
  #taskFailure: TaskFailure = null;

  constructor(converter: LoadedDataConverter) {
    this.#converter = converter;
  }

  /** Of the workflow task that is tried again; null: the last one was done. */
  get taskFailure(): TaskFailure {
    return this.#taskFailure;
  }

  found(): Omit<RunSteps, 'blocked' | 'events'> {
    const steps = [...this.#steps.values()];
    return {
      steps,
      commits: this.#commits,
      joined: this.#joined,
      storageTraffic: this.#storageTraffic,
      signals: Object.fromEntries(this.#signals),
    };
  }

  async read(event: Event): Promise<void> {
    await this.#readScheduled(event);
    await this.#readEnd(event);
    if (event.workflowTaskCompletedEventAttributes != null) this.#taskFailure = null;
    const timeout: number | null | undefined = event.workflowTaskTimedOutEventAttributes?.timeoutType;
    if (timeout === START_TO_CLOSE) this.#taskFailure = TIMED_OUT;
    const failed = event.workflowTaskFailedEventAttributes;
    if (failed != null) this.#taskFailure = (await this.#failure(failed.failure)) ?? 'its worker does not say why';
    const signal = event.workflowExecutionSignaledEventAttributes?.signalName;
    if (signal != null) this.#signals.set(signal, (this.#signals.get(signal) ?? 0) + 1);
    const started = event.activityTaskStartedEventAttributes;
    if (started == null) return;
    const step = this.#steps.get(String(started.scheduledEventId));
    if (step === undefined) return;
    step.state = 'running';
    step.attempts = started.attempt ?? 1;
    step.failure = await this.#failure(started.lastFailure);
  }

  async #readScheduled(event: Event): Promise<void> {
    const activity = event.activityTaskScheduledEventAttributes;
    const child = event.startChildWorkflowExecutionInitiatedEventAttributes;
    if (activity == null && child == null) return;
    const { staticSummary } = await decodeUserMetadata(this.#converter, event.userMetadata);
    const type = activity?.activityType?.name ?? child?.workflowType?.name ?? '';
    const step: Step = {
      name: staticSummary ?? (child?.workflowId == null ? type : `${type} ${child.workflowId}`),
      type,
      state: 'waiting',
      attempts: 0,
      startedAt: timeOf(event.eventTime) ?? '',
      endedAt: null,
      failure: null,
      retriesAt: null,
      query: null,
    };
    this.#steps.set(String(event.eventId), step);
    if (activity?.activityId != null) this.#byActivityId.set(activity.activityId, step);
  }

  async #readEnd(event: Event): Promise<void> {
    const end = endOf(event);
    const step = end === undefined ? undefined : this.#steps.get(end.scheduled);
    if (end === undefined || step === undefined) return;
    step.state = end.state;
    step.endedAt = timeOf(event.eventTime);
    step.attempts = Math.max(step.attempts, 1);
    if (end.state === 'done') this.#readResult(step.type, await this.#result(event));
    else step.failure = (await this.#failure(end.failure)) ?? step.failure;
  }

  #readResult(type: string, result: unknown): void {
    if (COMMIT.test(type)) this.#commits.push(...commitsOf(result));
    if (REQUEST.test(type)) this.#joined.push(...joinedBy(result));
    this.#storageTraffic = sumOf(this.#storageTraffic, memberOf(result, 'storageTraffic'));
  }

  /** The server's view of activities that have not ended: it writes their start into the history only at their end. */
  async readPending(pending: Pending): Promise<void> {
    const step = this.#byActivityId.get(pending.activityId ?? '');
    if (step === undefined) return;
    const failed = await this.#failure(pending.lastFailure);
    const state: number | null | undefined = pending.state;
    const working = timeOf(pending.lastStartedTime) !== null && state !== SCHEDULED;
    step.attempts = pending.attempt ?? 1;
    step.state = working ? 'running' : failed === null ? 'waiting' : 'retrying';
    step.failure = failed;
    step.retriesAt = working ? null : timeOf(pending.nextAttemptScheduleTime ?? pending.scheduledTime);
    step.query = working ? await this.#queryOf(pending) : null;
  }

  async #queryOf({ heartbeatDetails }: Pending): Promise<RunStep['query']> {
    const payloads = heartbeatDetails?.payloads;
    if (payloads == null) return null;
    const details = await decodeFromPayloadsAtIndex<HeartbeatDetails>(this.#converter, 0, payloads);
    return details.trino ?? null;
  }

  async #result(event: Event): Promise<unknown> {
    const payloads = event.activityTaskCompletedEventAttributes?.result?.payloads;
    return payloads == null ? undefined : decodeFromPayloadsAtIndex<unknown>(this.#converter, 0, payloads);
  }

  /** The code and message of a failure, below what Temporal wraps around it. */
  async #failure(failure: ProtoFailure | null | undefined): Promise<string | null> {
    let error: unknown = await decodeOptionalFailureToOptionalError(this.#converter, failure);
    while (error instanceof Error && memberOf(error, 'type') === undefined && error.cause instanceof Error) {
      error = error.cause;
    }
    if (!(error instanceof Error)) return null;
    const code = text(memberOf(error, 'type'));
    return code === null ? error.message : `${code}: ${error.message}`;
  }
}

/** `PENDING_ACTIVITY_STATE_SCHEDULED` and `PENDING_WORKFLOW_TASK_STATE_SCHEDULED` of Temporal's API. */
const SCHEDULED = 1;
/** `TIMEOUT_TYPE_START_TO_CLOSE`: a worker has taken the task. */
const START_TO_CLOSE = 1;

interface End {
  readonly scheduled: string;
  readonly state: 'done' | 'failed' | 'cancelled';
  readonly failure: ProtoFailure | null | undefined;
}

function endOf(event: Event): End | undefined {
  const done = event.activityTaskCompletedEventAttributes;
  const failed = event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes;
  const cancelled = event.activityTaskCanceledEventAttributes;
  const childDone = event.childWorkflowExecutionCompletedEventAttributes;
  const childFailed =
    event.childWorkflowExecutionFailedEventAttributes ??
    event.childWorkflowExecutionTimedOutEventAttributes ??
    event.childWorkflowExecutionTerminatedEventAttributes;
  const childCancelled = event.childWorkflowExecutionCanceledEventAttributes;
  const end = (id: unknown, state: End['state'], failure?: ProtoFailure | null): End => ({
    scheduled: String(id),
    state,
    failure,
  });
  if (done != null) return end(done.scheduledEventId, 'done');
  if (failed != null) return end(failed.scheduledEventId, 'failed', failed.failure);
  if (cancelled != null) return end(cancelled.scheduledEventId, 'cancelled');
  if (childDone != null) return end(childDone.initiatedEventId, 'done');
  if (childFailed != null) {
    const failure = event.childWorkflowExecutionFailedEventAttributes?.failure;
    return end(childFailed.initiatedEventId, 'failed', failure);
  }
  return childCancelled == null ? undefined : end(childCancelled.initiatedEventId, 'cancelled');
}

/** The snapshots that a result names, by our members for them. */
export function commitsOf(result: unknown): readonly RunCommit[] {
  const table = text(memberOf(result, 'table'));
  const several = memberOf(result, 'snapshotIds');
  const ids: readonly unknown[] = Array.isArray(several) ? several : [memberOf(result, 'snapshotId')];
  return ids.flatMap((id) => (typeof id === 'string' ? [{ table, snapshotId: id }] : []));
}

function sumOf(known: StorageTraffic | null, more: unknown): StorageTraffic | null {
  if (more === undefined) return known;
  const count = (name: keyof StorageTraffic): number => (known?.[name] ?? 0) + (Number(memberOf(more, name)) || 0);
  return { requests: count('requests'), readBytes: count('readBytes'), writtenBytes: count('writtenBytes') };
}

function joinedBy(result: unknown): readonly string[] {
  const id = text(memberOf(result, 'workflowId'));
  return id === null ? [] : [id];
}

function timeOf(time: Timestamp): string | null {
  if (time?.seconds == null || Number(time.seconds) === 0) return null;
  return new Date(Number(time.seconds) * 1000 + Math.floor((time.nanos ?? 0) / 1_000_000)).toISOString();
}
