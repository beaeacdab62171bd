/** `moraine sink run --follow` as processes, on a table of ids and texts. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { jsonLines, moraineOk, startMoraine } from './cli.js';
import { LOCAL_CONFIG } from './sink-kills.js';
import { lookAt } from './table-look.js';
import { temporaryFolder } from './temp-folder.js';

const TABLE = 'iot.uplinks';
const SCHEMA = {
  type: 'struct',
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'text', required: false, type: 'string' },
  ],
};

/** Records with the ids from one up to another, as lines of JSON. */
export const idLines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => `{"id":${from + index}}\n`).join('');

interface Progress {
  readonly committedRows: number;
  readonly committedBatches: number;
  readonly lagBytes: number;
  readonly bufferedRecords: number;
  readonly rejected: object;
}

/** A run that follows files. */
export class FollowingRun {
  readonly #child;
  readonly #ended: Promise<unknown>;
  #stdout = '';
  stderr = '';

  constructor(folder: string, args: readonly string[]) {
    this.#child = startMoraine(['sink', 'run', TABLE, ...args, '--follow', '--json'], { cwd: folder });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.#ended = once(this.#child, 'close');
  }

  get progress(): readonly Progress[] {
    const whole = this.#stdout.slice(0, this.#stdout.lastIndexOf('\n') + 1);
    return (jsonLines(whole) as { progress?: Progress }[]).flatMap(({ progress }) => progress ?? []);
  }

  /** The last line. */
  get result(): object {
    return jsonLines(this.#stdout).at(-1) as object;
  }

  /** Waits for something that standard error or the progress says. */
  async until(isSo: (run: this) => boolean): Promise<void> {
    while (!isSo(this)) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        await this.#ended;
        throw new Error(`it ended: ${this.stderr}`);
      }
      await sleep(50);
    }
  }

  /** Waits until so many rows of this run are committed, and nothing is left of the files. */
  rows(count: number): Promise<void> {
    return this.until(({ progress }) => progress.at(-1)?.committedRows === count && progress.at(-1)?.lagBytes === 0);
  }

  /** Stops it, or lets it go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal);
  }

  /** Waits until it has ended by itself. @returns its exit code */
  async ended(): Promise<number | null> {
    await this.#ended;
    return this.#child.exitCode;
  }

  async end(signal: NodeJS.Signals): Promise<unknown> {
    this.#child.kill(signal);
    await this.#ended;
    return this.#child.exitCode ?? this.#child.signalCode;
  }
}

export type FollowedProject = Awaited<ReturnType<typeof followedProject>>;

/** A project with an empty table, and what a test does with it. Its runs end with the test. */
export async function followedProject(folder = temporaryFolder()) {
  writeFileSync(join(folder, 'moraine.yaml'), LOCAL_CONFIG);
  writeFileSync(join(folder, 'schema.json'), JSON.stringify(SCHEMA));
  await moraineOk(['table', 'create', TABLE, '--schema', 'schema.json'], { cwd: folder });
  const { ids, summaries, added } = await lookAt(folder, TABLE);
  const snapshots = async () => (await summaries()).length;
  const follow = (...args: string[]) => {
    const run = new FollowingRun(folder, ['--batch-interval', '1', ...args]);
    onTestFinished(async () => void (await run.end('SIGKILL')));
    return run;
  };
  return { folder, file: (name: string) => join(folder, name), ids, snapshots, added, follow };
}
