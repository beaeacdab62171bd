/**
 * A program with checkpoints of its own that uses the library's `snapshot`, `commit` and `restore`, killed with SIGKILL before, within, between and after its checkpoints
 * and at random accesses, and started again from the last checkpoint that it has, now and then an older one: each record is in the table once, each batch in one snapshot.
 */
import { execFile } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { quoteLiteral } from '../../engine/index.js';
import { currentSchema, type Snapshot } from '../../iceberg/index.js';
import { openProject, type Project } from '../../project/index.js';
import type { SinkSnapshot } from '../../sink/index.js';
import { planFiles, type Table } from '../../tables/index.js';
import { DIST } from '../support/cli.js';
import { seed as askedSeed } from '../support/environment.js';
import { projectRoot } from '../support/paths.js';
import { KILL_AT_ACCESS, LOCAL_CONFIG, sinkKills } from '../support/sink-kills.js';
import { schemaOf } from '../support/table-world.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { Random } from '../worlds/random.js';

/** How often the host is killed, at least. */
const KILLS = sinkKills(16);
const PROGRAM = join(projectRoot, 'test/support/checkpoint-host.mjs');
const TABLE = 'iot.uplinks';
const PARTITIONS = ['a', 'b'] as const;
/** Ids of the second partition begin here. */
const SECOND = 1_000_000;
/** Lines of each partition that the host gets before each start. */
const LINES = 30;
/** What the host comes to, again and again. */
const MOMENTS = ['read', 'staged', 'half-saved', 'saved', 'committed'] as const;

type Death = { readonly MORAINE_DIE_AT: string } | { readonly MORAINE_KILL_AT: string };

/** The project of a host, with its source and its checkpoints. */
class HostFolder {
  readonly path = temporaryFolder();
  /** Lines of each partition. */
  lines = 0;

  /** @returns whether it was killed, and the last moment that it had come to */
  async run(death: Death | { readonly MORAINE_ACCESS_COUNT: string } | undefined, seed: number) {
    const marker = join(this.path, 'killed');
    rmSync(marker, { force: true });
    const env = {
      ...process.env,
      ...{ NODE_OPTIONS: `--import ${KILL_AT_ACCESS}`, MORAINE_FAULT_MARKER: marker, MORAINE_ACCESS_ROOT: this.path },
      ...death,
    };
    const args = [PROGRAM, DIST, this.path, `${seed}`];
    return await new Promise<{ readonly isKilled: boolean; readonly moment: string }>((resolve, reject) => {
      const child = execFile(process.execPath, args, { env }, (_, stdout, stderr) => {
        const isKilled = child.signalCode === 'SIGKILL';
        if (!isKilled && child.exitCode !== 0) reject(new Error(`the host ended with ${child.exitCode}: ${stderr}`));
        else resolve({ isKilled, moment: stdout.trim().split('\n').at(-1) ?? '' });
      });
    });
  }

  offer(): void {
    for (const [index, partition] of PARTITIONS.entries()) {
      const ids = Array.from({ length: LINES }, (_, line) => index * SECOND + this.lines + line);
      const lines = ids.map((id) => `${JSON.stringify({ id })}\n`).join('');
      appendFileSync(join(this.path, `${partition}.ndjson`), lines);
    }
    this.lines += LINES;
  }

  /** Loses the newest checkpoint, if there is one before it. */
  loseNewest(): boolean {
    const folder = join(this.path, 'checkpoints');
    const numbers = this.#checkpointsIn('checkpoints').map((name) => Number(name.replace('.json', '')));
    if (numbers.length < 2) return false;
    const newest = Math.max(...numbers);
    mkdirSync(join(this.path, 'lost'), { recursive: true });
    const name = `${newest}-${readdirSync(join(this.path, 'lost')).length}.json`;
    renameSync(join(folder, `${newest}.json`), join(this.path, 'lost', name));
    return true;
  }

  /** Batches of all checkpoints that there ever were. */
  batches(): readonly SinkSnapshot['batches'][number][] {
    return ['checkpoints', 'lost'].flatMap((folder) =>
      this.#checkpointsIn(folder).flatMap((name) => {
        const text = readFileSync(join(this.path, folder, name), 'utf8');
        return (JSON.parse(text) as { readonly sinkState: SinkSnapshot }).sinkState.batches;
      }),
    );
  }

  #checkpointsIn(name: string): readonly string[] {
    const folder = join(this.path, name);
    return existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.json')) : [];
  }
}

/** Ids of the rows of a snapshot, in order, past our own scan. */
async function idsOf(project: Project, table: Table, snapshot: Snapshot): Promise<readonly number[]> {
  const { files } = await planFiles(table, { snapshot, schema: currentSchema(table.metadata) });
  const paths = files.map(({ file }) => quoteLiteral(file.filePath)).join(', ');
  if (paths === '') return [];
  const sql = `SELECT id FROM read_parquet([${paths}], hive_partitioning = false) ORDER BY id`;
  const rows = await (await project.engine()).withConnection((connection) => connection.rows(sql));
  return rows.map(([id]) => Number(id));
}

/**
 * Each snapshot has of each partition its first records, and what it has more than the one before is a batch of a checkpoint, whole.
 * @returns how many batches there are
 */
async function expectBatches(project: Project, host: HostFolder): Promise<number> {
  const table = await project.loadTable(TABLE);
  const staged = new Set(host.batches().map(({ ranges }) => rangesText(ranges)));
  let [before, batches] = [[0, 0], 0];
  for (const snapshot of table.metadata.snapshots) {
    const ids = await idsOf(project, table, snapshot);
    const counts = PARTITIONS.map((_, index) => ids.filter((id) => Math.floor(id / SECOND) === index).length);
    expect(ids).toEqual(
      counts.flatMap((count, index) => Array.from({ length: count }, (_, line) => index * SECOND + line)),
    );
    if (counts.join() === before.join()) {
      expect(snapshot.summary.get('added-records') ?? '0').toBe('0');
      continue;
    }
    const ranges = PARTITIONS.map((partition, index) => {
      return { partition, from: `${before[index]}`, to: `${counts[index]}` };
    });
    expect([...staged]).toContain(rangesText(ranges));
    [before, batches] = [counts, batches + 1];
  }
  expect(before).toEqual([host.lines, host.lines]);
  return batches;
}

const rangesText = (
  ranges: readonly { readonly partition: string; readonly from: string; readonly to: string }[],
): string =>
  ranges
    .filter(({ from, to }) => from !== to)
    .map(({ partition, from, to }) => `${partition} ${from} ${to}`)
    .toSorted()
    .join(', ');

/** Every moment several times, and accesses that are spread over a run, in random order. */
function deaths(accesses: number, random: Random): readonly Death[] {
  const atMoments = MOMENTS.flatMap((moment) => [1, 2].map((time) => ({ MORAINE_DIE_AT: `${moment} ${time}` })));
  const others = Math.max(MOMENTS.length, KILLS - atMoments.length);
  const atAccesses = Array.from({ length: others }, (_, index) => ({
    MORAINE_KILL_AT: `${Math.ceil(((index + 1) * accesses) / others)}`,
  }));
  return random.shuffle([...atMoments, ...atAccesses]);
}

test('a host that is killed before, between and after its checkpoints has each record in the table once, and each batch in one snapshot', async () => {
  const host = new HostFolder();
  writeFileSync(join(host.path, 'moraine.yaml'), LOCAL_CONFIG);
  const project = await openProject({ cwd: host.path });
  onTestFinished(() => project.close());
  const { catalog, identifier } = await project.resolveTable(TABLE);
  await catalog.createNamespace(identifier.namespace);
  await catalog.createTable(identifier, { schema: schemaOf({ id: 'long' }) });
  const random = new Random(`checkpoints ${askedSeed ?? 1}`);
  const seed = () => random.int(0, 2 ** 31);

  host.offer();
  const counted = join(host.path, 'accesses');
  expect(await host.run({ MORAINE_ACCESS_COUNT: counted }, seed())).toEqual({ isKilled: false, moment: 'committed' });
  await expectBatches(project, host);
  const diedAfter = new Map<string, number>();
  let [killed, lost] = [0, 0];
  for (const death of deaths(Number(readFileSync(counted, 'utf8')), random)) {
    host.offer();
    const { isKilled, moment } = await host.run(death, seed());
    if (isKilled) {
      killed += 1;
      diedAfter.set(moment, (diedAfter.get(moment) ?? 0) + 1);
    }
    if (random.chance(0.25) && host.loseNewest()) lost += 1;
  }
  expect((await host.run(undefined, seed())).isKilled).toBe(false);
  const batches = await expectBatches(project, host);
  const where = [...diedAfter].map(([moment, times]) => `${times} after "${moment}"`).join(', ');
  process.stdout.write(
    `host with checkpoints: killed ${killed} times (${where}), ${lost} checkpoints lost, ${batches} batches\n`,
  );
  expect(killed).toBeGreaterThan(KILLS / 2);
  expect([...diedAfter.keys()]).toEqual(expect.arrayContaining([...MOMENTS]));
  expect(batches).toBeGreaterThan(KILLS / 2);
  // It goes on from there, and finds nothing more.
  await host.run(undefined, seed());
  expect(await expectBatches(project, host)).toBe(batches);
});
