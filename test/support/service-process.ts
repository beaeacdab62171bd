import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { startMoraine } from './cli.js';

/** A running `moraine serve`. */
export interface ServiceProcess {
  readonly pid: number;
  readonly url: string;
  /** What it has written to standard error: lines of JSON. */
  log(this: void): string;
  /** Sends a signal and waits for the end. @returns the exit code */
  stop(this: void, signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts `moraine serve` on a free port, for the project in a folder, and waits until it listens. It ends with the test. */
export async function startServiceProcess(folder: string, ...args: readonly string[]): Promise<ServiceProcess> {
  return await launchService(folder, args, onTestFinished);
}

/** As `startServiceProcess`, for several tests: what ends the process is handed over. */
export async function launchService(
  folder: string,
  args: readonly string[],
  atEnd: (stop: () => Promise<void>) => void,
): Promise<ServiceProcess> {
  const child = startMoraine(['serve', '--port', '0', '--json', ...args], { cwd: folder });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  const exit = once(child, 'close') as Promise<[number | null]>;
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    return (await exit)[0];
  };
  atEnd(async () => void (await stop()));
  const line = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  if (line.done === true) throw new Error(`the service has ended:\n${log}`);
  const { url } = JSON.parse(line.value) as { readonly url: string };
  return { pid: child.pid ?? 0, url, log: () => log, stop };
}
