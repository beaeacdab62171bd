import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One terminal of a reader: the folder and the exported variables stay from block to block. */
export class PageShell {
  readonly #folder: string;
  readonly #state: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #background: ChildProcess[] = [];

  /** @param environment added to this process's; undefined removes a variable */
  constructor(folder: string, environment: NodeJS.ProcessEnv) {
    this.#folder = folder;
    this.#state = join(folder, '.shell-state');
    this.#environment = { ...process.env, ...environment };
  }

  /** Runs a block to its end and returns its standard output. */
  async run(script: string): Promise<string> {
    const child = this.#start(`${script}\n{ export -p; printf 'cd %q\\n' "$PWD"; } > ${quote(this.#state)}`);
    const output = collect(child);
    const [code] = (await once(child, 'close')) as [number | null];
    if (code === 0) return output.stdout;
    throw new Error(`ended with ${code}:\n${script}\n${output.stdout}${output.stderr}`);
  }

  /** Starts a block in another terminal and waits until its output is what is shown. */
  async runInBackground(script: string, shown: RegExp): Promise<void> {
    const child = this.#start(script);
    this.#background.push(child);
    const output = collect(child);
    const ended = once(child, 'close').then(() => {
      throw new Error(`ended early:\n${script}\n${output.stdout}${output.stderr}`);
    });
    const ready = new Promise<void>((resolve) => {
      child.stdout?.on('data', () => shown.test(output.stdout) && resolve());
    });
    await Promise.race([ready, ended]);
    ended.catch(() => undefined);
  }

  /** Asks what runs in the background to end, as Ctrl-C does, and returns the exit codes. */
  async interruptAll(): Promise<readonly (number | null)[]> {
    const running = this.#background.splice(0);
    return Promise.all(
      running.map(async (child) => {
        const closed = once(child, 'close') as Promise<[number | null]>;
        if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
        const [code] = child.exitCode === null ? await closed : [child.exitCode];
        return code;
      }),
    );
  }

  #start(script: string): ChildProcess {
    if (!existsSync(this.#state)) writeFileSync(this.#state, `cd ${quote(this.#folder)}\n`);
    const text = `. ${quote(this.#state)}\n${script}`;
    return spawn('bash', ['-eu', '-c', text], {
      cwd: this.#folder,
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a process group of its own, so that a signal reaches what the shell has started
    });
  }
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  return output;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
