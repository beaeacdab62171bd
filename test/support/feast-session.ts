import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { feastPython } from './feast.js';
import { projectRoot } from './paths.js';

/** An error that the real Feast raised. */
export class FeastError extends Error {
  /** Name of the class in Python. */
  readonly kind: string;

  constructor(kind: string, message: string) {
    super(`${kind}: ${message}`);
    this.kind = kind;
  }
}

type Reply = { readonly answer: unknown } | { readonly error: string; readonly message: string };

/** A process of the real Feast that answers one question after another (`test/interop/programs/feast_session.py`). */
export class FeastSession {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  #printed = '';

  private constructor(process: ChildProcessWithoutNullStreams) {
    this.#process = process;
    this.#lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
    process.stderr.on('data', (bytes: Buffer) => {
      this.#printed = (this.#printed + bytes.toString('utf8')).slice(-4000);
    });
  }

  static open(): FeastSession {
    const interpreter = feastPython();
    if (interpreter === null) throw new Error('no Python environment');
    const program = join(projectRoot, 'test/interop/programs/feast_session.py');
    const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
    return new FeastSession(spawn(interpreter, ['-W', 'ignore', program], { env }));
  }

  /** Asks one question; one at a time. @throws FeastError what Feast raises */
  async ask(question: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    this.#process.stdin.write(`${JSON.stringify({ ask: question, ...args })}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error(`the Feast process has ended:\n${this.#printed}`);
    const reply = JSON.parse(line.value) as Reply;
    if ('error' in reply) throw new FeastError(reply.error, reply.message);
    return reply.answer;
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exit = once(this.#process, 'exit');
    this.#process.stdin.end();
    await exit;
  }
}
