/**
 * Workers that are told to stop, or that stop answering, in the middle of a commit: its metadata file is written, and the
 * swap in the catalog waits for a lock that the test holds. No half commit, no second one.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import Database from 'libsql';
import { expect, onTestFinished, test, vi } from 'vitest';
import { materializeDirect } from '../../materialization/index.js';
import { withSharedSpec } from '../../online/index.js';
import { materializationDeps } from '../../project/index.js';
import {
  type MaterializeResult,
  type RequestedRun,
  startMaterialization,
  type TemporalClient,
  waitForRun,
} from '../../workers/index.js';
import { projectRoot } from '../support/paths.js';
import { SmallProject } from '../support/small-project.js';
import { testClient, testSettings } from '../support/temporal.js';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.js';

const LIMIT_MS = 120_000;
/** Longer than the heartbeat time-out of a commit, shorter than a commit waits for a lock and its retries. */
const BLOCK_MS = 15_000;

/** A run whose commit waits for the catalog's lock. */
class HeldCommit {
  readonly small: SmallProject;
  readonly #settings = testSettings();
  #temporal: TemporalClient | undefined;
  #run: RequestedRun | undefined;
  #lock: Database.Database | undefined;

  private constructor(small: SmallProject) {
    this.small = small;
  }

  /** One snapshot is in the online table; the second is what waits. */
  static async create(): Promise<HeldCommit> {
    const held = new HeldCommit(await SmallProject.create());
    const { small } = held;
    await small.append(300);
    await materializeDirect(await materializationDeps(small.project), { view: small.view });
    await small.append(300, 300);
    // The first run of few rows adds a spec by a commit of its own, which would be the one that waits.
    await withSharedSpec(await small.online());
    return held;
  }

  /** Starts the run on a worker, and returns that when the commit waits. */
  async start(environment: Readonly<Record<string, string>> = {}): Promise<WorkerProcess> {
    const worker = await this.startWorker(environment);
    this.#temporal = await testClient(this.#settings);
    const before = await this.#metadataFiles();
    this.#lock = new Database(join(this.small.folder, 'catalog.db'));
    this.#lock.exec('BEGIN IMMEDIATE');
    onTestFinished(() => this.release());
    this.#run = await startMaterialization(this.#temporal, this.#settings, { view: this.small.view });
    await vi.waitUntil(async () => (await this.#metadataFiles()) > before, { timeout: 20_000, interval: 20 });
    return worker;
  }

  /** Lets commits pass. */
  release(): void {
    if (this.#lock?.open) this.#lock.close();
  }

  async startWorker(environment: Readonly<Record<string, string>> = {}): Promise<WorkerProcess> {
    const { address, taskQueue } = this.#settings;
    const worker = await startWorkerProcess(this.small.folder, ['worker', '--task-queue', taskQueue], {
      TEMPORAL_ADDRESS: address,
      ...environment,
    });
    onTestFinished(async () => {
      worker.kill('SIGKILL');
      await worker.ended;
    });
    return worker;
  }

  async result(): Promise<MaterializeResult> {
    const { client, run } = this.#started();
    return waitForRun(client, run);
  }

  /** How often the commit was begun. */
  async attempts(): Promise<number> {
    const { client, run } = this.#started();
    const { events } = await client.workflow.getHandle(run.workflowId).fetchHistory();
    const scheduled = events?.find(
      (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'commitMaterialization',
    );
    const started = events?.find(({ activityTaskStartedEventAttributes: started }) => {
      return String(started?.scheduledEventId) === String(scheduled?.eventId);
    });
    return started?.activityTaskStartedEventAttributes?.attempt ?? 0;
  }

  /** The online table holds what it must, by two commits. */
  async expectWhole(): Promise<void> {
    const keys = await this.small.runKeys();
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(2);
    // Each run added one row of each sensor; the later one is the newest.
    const rows = await this.small.onlineRows();
    expect(rows).toHaveLength(200);
    const newest = new Map(rows.map((row) => [row[0], row]));
    expect([...newest.values()]).toEqual(await this.small.recomputed());
  }

  #started(): { readonly client: TemporalClient['client']; readonly run: RequestedRun } {
    if (this.#temporal === undefined || this.#run === undefined) throw new Error('not started');
    return { client: this.#temporal.client, run: this.#run };
  }

  async #metadataFiles(): Promise<number> {
    const { metadata } = await this.small.online();
    const names = readdirSync(`${metadata.location.replace('file://', '')}/metadata`);
    return names.filter((name) => name.endsWith('.metadata.json')).length;
  }
}

test(
  'SIGTERM: the commit is finished, then the worker ends with 0',
  async () => {
    const held = await HeldCommit.create();
    const worker = await held.start();
    worker.kill('SIGTERM');
    expect(await held.small.runKeys()).toHaveLength(1);
    held.release();
    expect(await worker.ended).toEqual({ code: 0, signal: null });
    await held.expectWhole();
    // The worker has gone: another one tells the run so.
    await held.startWorker();
    expect(await held.result()).toMatchObject({ kind: 'incremental', rows: '100' });
    expect(await held.attempts()).toBe(1);
  },
  LIMIT_MS,
);

test(
  'a second SIGTERM ends the worker at once; the next one commits',
  async () => {
    const held = await HeldCommit.create();
    const worker = await held.start();
    worker.kill('SIGTERM');
    const again = setInterval(() => worker.kill('SIGTERM'), 100);
    expect(await worker.ended).toEqual({ code: 130, signal: null });
    clearInterval(again);
    held.release();
    expect(await held.small.runKeys()).toHaveLength(1);
    await held.startWorker();
    expect(await held.result()).toMatchObject({ kind: 'incremental', rows: '100' });
    expect(await held.attempts()).toBe(2);
    await held.expectWhole();
  },
  LIMIT_MS,
);

test(
  'an event loop blocked beyond the heartbeat: the attempt is lost, the commit is made once',
  async () => {
    const held = await HeldCommit.create();
    const preload = pathToFileURL(join(projectRoot, 'test/support/blockable-loop.mjs')).href;
    const blocked = await held.start({ NODE_OPTIONS: `--import=${preload}`, MORAINE_TEST_BLOCK_MS: String(BLOCK_MS) });
    blocked.kill('SIGUSR2');
    await held.startWorker();
    held.release();
    expect(await held.result()).toMatchObject({ kind: 'incremental', rows: '100' });
    expect(await held.attempts()).toBe(2);
    await held.expectWhole();
    // Awake again, the lost attempt ends by itself, and commits nothing.
    blocked.kill('SIGTERM');
    expect(await blocked.ended).toEqual({ code: 0, signal: null });
    await held.expectWhole();
  },
  LIMIT_MS,
);
