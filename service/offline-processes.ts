/** Processes that do heavy work for the service, a limited number at a time. */
import { type ChildProcess, fork } from 'node:child_process';
import { tracingChannel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { MoraineConfig } from '../config/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import { makeTemporaryFolder, type TemporaryFolder, withinTime } from '../processes/index.js';
import type { OfflineHead } from './offline-output.js';
import type { OfflineNews, OfflineOrder, OfflineWork } from './offline-work.js';
import type { TraceCarrier } from './tracing/continue-trace.js';

/** An answer: what it is made of, and its bytes. Destroying them ends the process, also if none was read. */
export interface OfflineAnswer {
  readonly head: OfflineHead;
  readonly bytes: Readable;
}

/** A number and the setting that it is from. */
interface Setting {
  readonly value: number;
  readonly name: string;
}

export interface OfflineLimits {
  /** Processes at a time. */
  readonly processes: Setting;
  /** Milliseconds that a process may take until the first byte of its answer; without it there is no limit. */
  readonly timeoutMs?: Setting;
}

/** A request for heavy work, with a folder of its own. */
export interface OfflineTurn {
  /** For the files of the request. It is removed with all that is in it when the turn ends. */
  readonly folder: string;
  /**
   * Starts the process. The turn ends with its answer.
   * @throws OVERLOADED if as many as may be are at work; what the work throws before its first byte; TIMED_OUT; SERVICE_CLOSING
   */
  run(work: OfflineWork): Promise<OfflineAnswer>;
  /** Ends the turn and its process. May be called twice. Never fails: the place that the turn takes is free at the end. */
  end(): Promise<void>;
}

/** A process, traced in the asynchronous context of its request. */
export const PROCESS_CHANNEL = 'moraine:offline-process';

/** A process while it works and afterwards. */
export interface OfflineProcess {
  readonly kind: OfflineWork['kind'];
  /** Names its span to it, if it has one. */
  carrier?: TraceCarrier;
  /** Code of the error that its work ended with. */
  failure?: string;
}

const processes = tracingChannel<OfflineProcess>(PROCESS_CHANNEL);

/** Requests that prepare their work, such as by taking a body, for each process that there may be. */
const PREPARING_FOR_PROCESS = 4;

/** Milliseconds to hear why a process could not be started. */
const REASON_MS = 100;

/** Characters of a process's standard error that are kept. */
const MAX_PRINTED = 2_000;

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export class OfflineProcesses {
  readonly #config: MoraineConfig;
  readonly #limits: OfflineLimits;
  readonly #start: () => ChildProcess;
  readonly #turns = new Set<Turn>();
  #closed = false;

  /** @param start starts a process that waits for its order */
  constructor(config: MoraineConfig, limits: OfflineLimits, start = startProcess) {
    this.#config = config;
    this.#limits = limits;
    this.#start = start;
  }

  /** Requests that have a process: beyond the limit they do not wait, but are refused. */
  get running(): number {
    return [...this.#turns].filter((turn) => turn.isWorking).length;
  }

  /** Of {@link running}, at most. */
  get limit(): number {
    return this.#limits.processes.value;
  }

  /**
   * What the work needs may be put into the folder of the turn before it runs: it takes the place of no other meanwhile.
   * @throws OVERLOADED if as many as may be are at work, or prepare it; SERVICE_CLOSING
   */
  async begin(): Promise<OfflineTurn> {
    if (this.#closed) throw closing();
    this.#requireProcess();
    const preparing = this.#turns.size - this.running;
    if (preparing >= PREPARING_FOR_PROCESS * this.limit)
      throw new MoraineError('OVERLOADED', `The service takes the bodies of ${preparing} such requests already.`);
    const turn = new Turn(this.#config, this.#limits.timeoutMs, {
      start: () => {
        this.#requireProcess();
        return this.#start();
      },
      left: () => this.#turns.delete(turn),
    });
    this.#turns.add(turn);
    await turn.open();
    return turn;
  }

  /** @throws OVERLOADED */
  #requireProcess(): void {
    const { value: max, name } = this.#limits.processes;
    if (this.running < max) return;
    throw new MoraineError(
      'OVERLOADED',
      `The service works for ${max} such requests in processes of their own already, and may not for more at a time (${name}).`,
    );
  }

  /** Ends every process, and lets no other begin. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#turns].map((turn) => turn.end()));
  }
}

interface TurnEvents {
  /** Starts the process. @throws what keeps it from that */
  readonly start: () => ChildProcess;
  readonly left: () => void;
}

class Turn implements OfflineTurn {
  readonly #config: MoraineConfig;
  readonly #timeoutMs: Setting | undefined;
  readonly #events: TurnEvents;
  #folder: TemporaryFolder | undefined;
  #child: ChildProcess | undefined;
  #ending: Promise<void> | undefined;
  #ended: () => void = () => undefined;

  constructor(config: MoraineConfig, timeoutMs: Setting | undefined, events: TurnEvents) {
    this.#config = config;
    this.#timeoutMs = timeoutMs;
    this.#events = events;
  }

  get isWorking(): boolean {
    return this.#child !== undefined;
  }

  get folder(): string {
    return this.#folder?.path ?? '';
  }

  async open(): Promise<void> {
    try {
      this.#folder = await makeTemporaryFolder(this.#config.engine.tempDirectory, 'retrieval');
    } catch (error) {
      await this.end();
      throw error;
    }
    if (this.#ending === undefined) return;
    await this.#folder.remove();
    throw closing();
  }

  async run(work: OfflineWork): Promise<OfflineAnswer> {
    if (this.#ending !== undefined) throw closing();
    const child = this.#events.start();
    if (child.pid === undefined) throw await notStarted(child);
    this.#child = child;
    const news = new NewsOf(child);
    const traced: OfflineProcess = { kind: work.kind };
    const ended = new Promise<void>((resolve) => {
      this.#ended = resolve;
    });
    void processes.tracePromise(() => ended, traced);
    try {
      const { engine } = this.#config;
      // Its temporary files go with the folder, also when it is killed.
      const config = { ...this.#config, engine: { ...engine, tempDirectory: this.folder } };
      child.send({ config, folder: this.folder, work, carrier: traced.carrier } satisfies OfflineOrder);
      const head = await headWithin(news.head, this.#timeoutMs);
      const bytes = Readable.from(this.#bytes(child, news, traced), { objectMode: false });
      // A generator that was not begun does not hear of its end.
      bytes.once('close', () => void this.end());
      return { head, bytes };
    } catch (error) {
      traced.failure = codeOf(error);
      const isClosing = this.#ending !== undefined;
      await this.end();
      throw isClosing ? closing() : error;
    }
  }

  async *#bytes({ stdout }: ChildProcess, news: NewsOf, traced: OfflineProcess): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of stdout ?? []) yield chunk as Uint8Array;
      await news.end;
    } catch (error) {
      traced.failure = codeOf(error);
      throw error;
    } finally {
      await this.end();
    }
  }

  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    const child = this.#child;
    // Without an id it could not be started.
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit').catch(() => undefined);
      child.kill('SIGKILL');
      await exited;
    }
    this.#ended();
    // What cannot be removed goes when this process has ended.
    await this.#folder?.remove().catch(() => undefined);
    this.#events.left();
  }
}

const codeOf = (error: unknown): string => (isMoraineError(error) ? error.code : 'INTERNAL');

/** The head of an answer. @throws TIMED_OUT, and what the work throws before it */
async function headWithin(head: Promise<OfflineHead>, limit: Setting | undefined): Promise<OfflineHead> {
  if (limit === undefined) return await head;
  const { value, name } = limit;
  return await withinTime(
    head,
    value,
    () => new MoraineError('TIMED_OUT', `The answer was not ready within ${value} ms (${name}).`),
  );
}

const compiled = here('./offline-entry.js');
/** In a source tree the entry is the compiled one. */
const ENTRY = existsSync(compiled) ? compiled : here('../dist/service/offline-entry.js');

function startProcess(): ChildProcess {
  return fork(ENTRY, [], {
    serialization: 'advanced',
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // Ctrl-C in a terminal is for the service alone.
    detached: true,
  });
}

/** The messages of a process. */
class NewsOf {
  /** @throws what the work has thrown */
  readonly head: Promise<OfflineHead>;
  /** Resolves when the answer is whole. @throws what the work has thrown */
  readonly end: Promise<void>;

  constructor(child: ChildProcess) {
    const failed = new Promise<never>((_, reject) => {
      let printed = '';
      child.stderr?.setEncoding('utf8').on('data', (text: string) => (printed = (printed + text).slice(-MAX_PRINTED)));
      child.on('error', (cause) => reject(endedEarly(cause)));
      child.on('close', (code, signal) => reject(endedEarly(new Error(`${signal ?? code}: ${printed.trim()}`))));
      child.on('message', (news: OfflineNews) => {
        if (news.type !== 'failed') return;
        const { code, message, remedy, details } = news;
        reject(new MoraineError(code, message, { remedy, details }));
        // Its output ends with it.
        child.kill('SIGKILL');
      });
    });
    const head = new Promise<OfflineHead>((resolve) => {
      child.on('message', (news: OfflineNews) => news.type === 'begun' && resolve(news.head));
    });
    const end = new Promise<void>((resolve) => {
      child.on('message', (news: OfflineNews) => news.type === 'ended' && resolve());
    });
    this.head = Promise.race([head, failed]);
    this.end = Promise.race([end, failed]);
    // An answer that nobody reads to its end has nobody to hear of its failure.
    this.end.catch(() => undefined);
  }
}

function endedEarly(cause: Error): MoraineError {
  return new MoraineError('INTERNAL', 'A process of the service ended early; its log has the reason.', { cause });
}

/** The error of a process that has no id. Node tells the reason later, if at all. */
async function notStarted(child: ChildProcess): Promise<MoraineError> {
  const cause = await Promise.race([new Promise((resolve) => child.on('error', resolve)), sleep(REASON_MS)]);
  const reason = cause instanceof Error ? cause.message : 'the system gave no reason';
  return new MoraineError('OVERLOADED', `A process for the request could not be started: ${reason}.`, { cause });
}

const closing = (): MoraineError =>
  new MoraineError('SERVICE_CLOSING', 'The service stopped before the answer was complete.');
