import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { History } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { MoraineError } from '../errors/index.js';
import {
  dataConverter,
  type EncryptionKeys,
  installQuietRuntime,
  resolveEncryptionKeys,
  type WorkflowSource,
  workflowSource,
} from '../workers/index.js';

export interface ReplayOptions {
  /** The workflow code to replay on: `{ workflowsPath }` for one's own, by default that of this package. */
  readonly workflows?: WorkflowSource;
  /** With which the histories were encrypted; by default those of the environment. */
  readonly encryptionKeys?: EncryptionKeys;
}

/** A history that replayed. */
export interface ReplayedHistory {
  /** Path of the file. */
  readonly file: string;
  /** Number of events in it. */
  readonly events: number;
}

/**
 * Replays recorded workflow histories on the workflow code: the proof that a change of the code does not break runs that
 * are in flight. Histories are JSON files as `moraine workflow export`, the `temporal` command and the web UI write them.
 *
 * @param paths files, or folders whose `*.json` files are taken
 * @returns the histories, in order of their paths
 * @throws `NONDETERMINISM` naming every history that does not replay; `INPUT_UNREADABLE` if a file is not a history or
 * there is none
 */
export async function replayHistories(
  paths: string | readonly string[],
  options: ReplayOptions = {},
): Promise<ReplayedHistory[]> {
  const files = await historyFiles(typeof paths === 'string' ? [paths] : paths);
  const histories = await Promise.all(files.map(readHistory));
  installQuietRuntime();
  const replayed: ReplayedHistory[] = [];
  const failures: string[] = [];
  for await (const { recorded, error } of replayEach(histories, replayWorker(options))) {
    const { file, events } = recorded;
    if (error === undefined) replayed.push({ file, events });
    else if (error.name === 'DeterminismViolationError') failures.push(`${file}: ${error.message}`);
    else throw unreadable(file, error);
  }
  if (failures.length > 0) {
    const problem = failures.length === 1 ? 'a history does' : `${failures.length} histories do`;
    throw new MoraineError('NONDETERMINISM', `${problem} not replay on this workflow code: ${failures.join('; ')}`, {
      details: { histories: failures },
    });
  }
  return replayed;
}

/** @throws `CONFIG_INVALID` for keys of the environment that cannot be read */
function replayWorker({ workflows, encryptionKeys }: ReplayOptions) {
  const keys = encryptionKeys ?? resolveEncryptionKeys({}, process.env);
  return { ...(workflows ?? workflowSource()), ...dataConverter(keys) };
}

interface RecordedHistory extends ReplayedHistory {
  /** Of the recorded execution: ids of children are often made of it. */
  readonly workflowId: string;
  readonly history: unknown;
}

/** Replays one after the other on one worker, and says how each went. */
async function* replayEach(
  histories: readonly RecordedHistory[],
  worker: Parameters<typeof Worker.runReplayHistories>[0],
): AsyncGenerator<{ recorded: RecordedHistory; error: Error | undefined }> {
  const inputs = histories.map(({ workflowId, history }) => ({ workflowId, history: history as History }));
  const results = Worker.runReplayHistories(worker, inputs);
  try {
    for (const recorded of histories) {
      const result = await results.next().catch((error: unknown) => {
        throw unreadable(recorded.file, error);
      });
      if (result.done === true) throw unreadable(recorded.file, new Error('the replay ended early'));
      yield { recorded, error: result.value.error };
    }
  } finally {
    // A worker that nobody ends keeps its process.
    await results.return?.();
  }
}

function unreadable(file: string, error: unknown): MoraineError {
  const reason = error instanceof Error ? error.message : String(error);
  return new MoraineError('INPUT_UNREADABLE', `${file} cannot be replayed: ${reason}`, { cause: error });
}

async function historyFiles(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) {
    const isFolder = (await statOf(path)).isDirectory();
    if (isFolder) {
      const names = (await readdir(path)).filter((name) => name.endsWith('.json')).sort();
      files.push(...names.map((name) => join(path, name)));
    } else files.push(path);
  }
  if (files.length > 0) return files;
  throw new MoraineError('INPUT_UNREADABLE', `there is no history (*.json) in ${paths.join(', ')}`);
}

async function statOf(path: string): ReturnType<typeof stat> {
  try {
    return await stat(path);
  } catch (error) {
    throw new MoraineError('FILE_NOT_FOUND', `there is no file or folder ${path}`, { cause: error });
  }
}

async function readHistory(file: string): Promise<RecordedHistory> {
  try {
    const history: unknown = JSON.parse(await readFile(file, 'utf8'));
    const events: unknown =
      typeof history === 'object' && history !== null && 'events' in history ? history.events : [];
    if (!Array.isArray(events) || events.length === 0) throw new Error('it has no events');
    return { file, history, workflowId: workflowIdOf(events[0]) ?? basename(file, '.json'), events: events.length };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MoraineError('INPUT_UNREADABLE', `${file} is not a workflow history: ${reason}`, { cause: error });
  }
}

/** Undefined in histories of servers that do not write it down. */
function workflowIdOf(firstEvent: unknown): string | undefined {
  const { workflowExecutionStartedEventAttributes: started } = (firstEvent ?? {}) as {
    readonly workflowExecutionStartedEventAttributes?: { readonly workflowId?: unknown };
  };
  return typeof started?.workflowId === 'string' ? started.workflowId : undefined;
}
