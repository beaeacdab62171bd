import type { ServerOptions } from '../client/index.js';
import { MoraineError } from '../errors/index.js';
import { type OpenProjectOptions, openProject, type Project } from '../project/index.js';
import type { StorageTraffic } from '../runs/index.js';
import { type Output, toJson } from './output/output.js';
import type { Progress } from './output/progress.js';

/** Options that every command takes. */
export interface GlobalOptions {
  readonly config?: string;
  readonly verbose?: boolean;
}

/** The process, as a command sees it. */
export interface CommandContext {
  readonly globals: GlobalOptions;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  readonly stdout: Output;
  /** A line for people, on standard error. */
  readonly note: (text: string) => void;
  readonly progress: Progress;
  /** Requests and bytes that object stores were asked for so far; null: none. Counted with `--json` and `--verbose`. */
  readonly storageTraffic: () => StorageTraffic | null;
}

/** Opens the project of `--config` or of this folder, runs `work`, and closes the project whatever happens. */
export async function withProject<T>(
  context: CommandContext,
  work: (project: Project) => Promise<T>,
  options: Pick<OpenProjectOptions, 'fileFolders'> = {},
): Promise<T> {
  const { config } = context.globals;
  const project = await openProject({ ...options, ...(config === undefined ? {} : { configFile: config }) });
  try {
    return await work(project);
  } finally {
    await project.close();
  }
}

/** How a command waits for the project's Temporal server. */
export function serverOptions({ signal, note }: CommandContext): Required<ServerOptions> {
  return { signal, announce: note };
}

/** One JSON value on one line. */
export function printJson(context: CommandContext, value: unknown): Promise<void> {
  return context.stdout.write(`${toJson(value)}\n`);
}

/** @throws `CANCELLED` after Ctrl-C */
export function throwIfCancelled(context: CommandContext): void {
  if (context.signal.aborted) throw new MoraineError('CANCELLED', 'cancelled by Ctrl-C');
}
