/** A Temporal server of one test, on a port that stays the same: it can be killed and started again on its database. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SEARCH_ATTRIBUTES } from '../../activities/index.js';
import { isServing } from '../../workers/clients/connection.js';
import { findTemporalCli, type ServerSettings } from '../../workers/index.js';
import { freePorts } from '../../workers/server/free-ports.js';
import { testSettings } from './temporal.js';

export class OwnTemporalServer {
  readonly #command: readonly string[];
  readonly address: string;
  readonly uiAddress: string;
  #process: ChildProcess | undefined;

  private constructor(command: readonly string[], port: number, uiPort: number) {
    this.#command = command;
    this.address = `127.0.0.1:${port}`;
    this.uiAddress = `http://127.0.0.1:${uiPort}`;
  }

  /**
   * @param folder where its database is
   * @param limits of its dynamic configuration, by their names
   */
  static async start(folder: string, limits: Readonly<Record<string, number>> = {}): Promise<OwnTemporalServer> {
    const { path } = await findTemporalCli();
    const [port = 0, uiPort = 0] = await freePorts(2);
    mkdirSync(folder, { recursive: true });
    const server = new OwnTemporalServer(
      [
        ...[path, 'server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port)],
        ...['--ui-ip', '127.0.0.1', '--ui-port', String(uiPort), '--log-level', 'error'],
        ...['--db-filename', join(folder, 'temporal.db')],
        ...Object.entries(limits).flatMap(([name, value]) => ['--dynamic-config-value', `${name}=${value}`]),
        ...SEARCH_ATTRIBUTES.flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
      ],
      port,
      uiPort,
    );
    await server.restart();
    return server;
  }

  /** Starts it (again) and waits until it answers. */
  async restart(): Promise<void> {
    const [path = '', ...args] = this.#command;
    this.#process = spawn(path, args, { stdio: 'ignore' });
    const deadline = Date.now() + 60_000;
    while (!(await isServing(this.address, 2_000))) {
      if (this.#process.exitCode !== null || Date.now() > deadline)
        throw new Error('the Temporal server did not start');
      await sleep(100);
    }
  }

  /** Ends it without notice. */
  async kill(): Promise<void> {
    const running = this.#process;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const ended = once(running, 'exit');
    running.kill('SIGKILL');
    await ended;
  }

  /** Settings for a task queue of its own on this server. */
  settings(): ServerSettings {
    return { ...testSettings(), address: this.address, connection: { address: this.address } };
  }
}
