import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { projectRoot } from './paths.js';

/** The built package; another copy of it (an installed one) can be tested by naming its folder. */
export const DIST = process.env.MORAINE_TEST_DIST ?? join(projectRoot, 'dist');

/** The command's entry. */
export const MAIN = join(DIST, 'cli/main.js');

/** The outcome of a run of the command line. */
export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  /** `pipe`: the caller writes to it; else there is nothing to read. */
  readonly stdin?: 'pipe';
  readonly cwd?: string;
  /** Added to this process's environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Options of `prlimit` that the process is started under, such as `--nofile=256:256`. */
  readonly limits?: readonly string[];
  /** The command's entry, of another copy of the package. */
  readonly main?: string;
}

/** Starts the real command as a process of its own. */
export function startMoraine(args: readonly string[], options: CliOptions = {}) {
  const limits = options.limits ?? [];
  const [command = process.execPath, ...before] = [
    ...(limits.length > 0 ? ['prlimit', ...limits] : []),
    process.execPath,
  ];
  return spawn(command, [...before, options.main ?? MAIN, ...args], {
    cwd: options.cwd ?? projectRoot,
    env: { ...process.env, TEMPORAL_ADDRESS: undefined, ...options.env },
    stdio: [options.stdin ?? 'ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs the real command to its end. */
export async function moraine(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const child = startMoraine(args, options);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code, signal, stdout, stderr };
}

/** Runs a command that must succeed and returns its standard output. */
export async function moraineOk(args: readonly string[], options: CliOptions = {}): Promise<string> {
  const result = await moraine(args, options);
  if (result.code !== 0) throw new Error(`moraine ${args.join(' ')} ended with ${result.code}: ${result.stderr}`);
  return result.stdout;
}

/** The values of JSON Lines. */
export function jsonLines(text: string): unknown[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}
