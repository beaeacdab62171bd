/** Tables that the workflow `maintain` drops dangling deletes from, and their health, as PyIceberg and DuckDB's extension see them. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { createActivities } from '../../activities/index.js';
import type { DataFile } from '../../iceberg/index.js';
import { tableHealth } from '../../maintenance/index.js';
import { maintenanceDeps, openProject, type Project } from '../../project/index.js';
import { commitOverwrite } from '../../tables/index.js';
import { type MaintainResult, startMaintain, waitForMaintain } from '../../workers/index.js';
import { DeleteWriter } from '../support/delete-writer.js';
import { maintainOnce } from '../support/maintain-once.js';
import { projectRoot } from '../support/paths.js';
import { describeInterop, python } from '../support/python.js';
import { pythonEnvironment } from '../support/python-environment.js';
import { type NewRow, RowTable } from '../support/row-table.js';
import { testClient, testSettings, testWorker } from '../support/temporal.js';

/** See `inspect_table.py`. */
interface Inspection {
  readonly rows: readonly number[] | string;
  readonly deletes: readonly (readonly [content: number, file: string, rows: number])[];
  readonly figures: Readonly<Record<string, number>>;
}

interface DuckDbAnswer {
  readonly rows?: readonly { readonly id: number }[];
  readonly error?: string;
}

class Maintained {
  readonly table: RowTable;
  readonly writer: DeleteWriter;

  constructor(table: RowTable) {
    this.table = table;
    this.writer = new DeleteWriter(table.world, { namespace: ['demo'], name: table.name });
  }

  /** A table of its own name: runs of one Temporal server go by it. */
  static async create(formatVersion: 2 | 3, partitioning?: string): Promise<Maintained> {
    const name = `t_${randomUUID().slice(0, 8)}`;
    return new Maintained(await RowTable.create(formatVersion, partitioning, undefined, name));
  }

  get name(): string {
    return `demo.${this.table.name}`;
  }

  /** Appends rows as one file. @returns its path */
  async append(...rows: readonly NewRow[]): Promise<string> {
    const before = new Set(await this.table.dataPaths());
    await this.table.append(rows);
    const [added = ''] = (await this.table.dataPaths()).filter((path) => !before.has(path));
    return added;
  }

  /** Takes data files out of the table as an engine does that leaves delete files as they are. */
  async remove(...removeFiles: readonly string[]): Promise<void> {
    await commitOverwrite(await this.table.load(), { files: [], removeFiles });
  }

  async openProject(): Promise<Project> {
    const { folder } = this.table.world;
    writeFileSync(join(folder, 'moraine.yaml'), 'catalogs: { local: { uri: catalog.db, warehouse: warehouse } }\n');
    const project = await openProject({ cwd: folder });
    onTestFinished(() => project.close());
    return project;
  }

  /** Has the workflow do it. */
  async maintain(project: Project): Promise<MaintainResult> {
    const settings = testSettings();
    await testWorker(settings, createActivities(project));
    const temporal = await testClient(settings);
    const asked = await startMaintain(temporal, settings, { table: this.name, olderThan: '0s' });
    return waitForMaintain(temporal.client, asked, this.name);
  }

  inspect(): Promise<Inspection> {
    const { catalogUri, warehouse } = this.table.world;
    return python<Inspection>('inspect_table.py', catalogUri, warehouse, this.name);
  }

  /** The ids as DuckDB's extension reads them. */
  async duckdb(): Promise<readonly number[]> {
    const interpreter = pythonEnvironment(join(projectRoot, 'test/interop/requirements-duckdb.txt'));
    const program = join(projectRoot, 'test/interop/programs/read_spark_tables.py');
    const { metadataLocation } = await this.table.load();
    const { stdout } = await promisify(execFile)(interpreter, [program, 'duckdb', metadataLocation]);
    const [answer] = JSON.parse(stdout) as readonly DuckDbAnswer[];
    if (answer?.rows === undefined) throw new Error(answer?.error);
    return answer.rows.map(({ id }) => id).sort((a, b) => a - b);
  }
}

/** Which delete files are dangling, which are not, and the rows that are live. */
interface Dangling {
  readonly dropped: readonly DataFile[];
  readonly stay: readonly DataFile[];
  readonly rows: readonly number[];
}

async function positionDeletes(it: Maintained): Promise<Dangling> {
  const { writer } = it;
  const gone = await it.append([1, 'a', 1], [2, 'a', 2]);
  const live = await it.append([3, 'a', 3], [4, 'a', 4]);
  const ofGone = await writer.positions([{ path: gone, position: 0 }], { referencedDataFile: gone });
  const ofBoth = await writer.positions([gone, live].map((path) => ({ path, position: 1 })));
  const ofLive = await writer.positions([{ path: live, position: 0 }], { referencedDataFile: live });
  await writer.commit([ofGone, ofBoth, ofLive]);
  await it.append([5, 'b', 5]);
  await it.remove(gone);
  return { dropped: [ofGone], stay: [ofBoth, ofLive], rows: [5] };
}

async function positionDeletesOfPartitions(it: Maintained): Promise<Dangling> {
  const { writer } = it;
  const [a1, a2] = [await it.append([1, 'a', 1], [2, 'a', 2]), await it.append([3, 'a', 3], [4, 'a', 4])];
  const [b1, b2] = [await it.append([5, 'b', 5], [6, 'b', 6]), await it.append([7, 'b', 7], [8, 'b', 8])];
  const firstOf = (paths: readonly string[], partition: string) =>
    writer.positions(
      paths.map((path) => ({ path, position: 0 })),
      { partition: [partition] },
    );
  const ofA = await firstOf([a1, a2], 'a');
  const ofB = await firstOf([b1, b2], 'b');
  await writer.commit([ofA, ofB]);
  await it.remove(a1, a2, b1);
  await it.append([9, 'a', 9]);
  return { dropped: [ofA], stay: [ofB], rows: [8, 9] };
}

async function equalityDeletes(it: Maintained): Promise<Dangling> {
  const { writer } = it;
  const gone = await it.append([1, 'a', 1], [2, 'a', 2]);
  const early = await writer.equality({ id: 1 }, 'SELECT 1::BIGINT AS id');
  await writer.commit([early]);
  await it.append([1, 'a', 10], [3, 'a', 3]);
  await it.remove(gone);
  const late = await writer.equality({ id: 1 }, 'SELECT 3::BIGINT AS id');
  await writer.commit([late]);
  return { dropped: [early], stay: [late], rows: [1] };
}

async function vectors(it: Maintained): Promise<Dangling> {
  const { writer } = it;
  const gone = await it.append([1, 'a', 1], [2, 'a', 2]);
  const goneToo = await it.append([7, 'a', 7], [8, 'a', 8]);
  const live = await it.append([3, 'a', 3], [4, 'a', 4]);
  const other = await it.append([5, 'a', 5], [6, 'a', 6]);
  await it.remove(gone, goneToo);
  const [ofGone, ofLive] = await writer.vectors([
    { path: gone, positions: [0] },
    { path: live, positions: [1] },
  ]);
  const [alone] = await writer.vectors([{ path: goneToo, positions: [1] }]);
  const [ofOther] = await writer.vectors([{ path: other, positions: [0] }]);
  if (ofGone === undefined || ofLive === undefined || alone === undefined || ofOther === undefined) throw new Error();
  await writer.commit([ofGone, ofLive, alone, ofOther]);
  return { dropped: [ofGone, alone], stay: [ofLive, ofOther], rows: [3, 6] };
}

const KINDS: readonly (readonly [string, 2 | 3, string | undefined, (it: Maintained) => Promise<Dangling>])[] = [
  ['position deletes in version 2', 2, undefined, positionDeletes],
  ['position deletes of partitions in version 2', 2, 'part', positionDeletesOfPartitions],
  ['equality deletes in version 2', 2, undefined, equalityDeletes],
  ['position deletes in version 3', 3, undefined, positionDeletes],
  ['deletion vectors in version 3, two in one file', 3, undefined, vectors],
];

const listed = (files: readonly DataFile[]) => files.map(({ filePath }) => basename(filePath)).sort();
const named = ({ deletes }: Inspection) => deletes.map(([, file]) => file).sort();

describeInterop('dangling deletes leave with maintain, and nothing else does', () => {
  test.each(KINDS)('%s', async (_name, formatVersion, partitioning, make) => {
    const it = await Maintained.create(formatVersion, partitioning);
    const { dropped, stay, rows } = await make(it);
    const before = await it.inspect();
    expect(named(before)).toEqual(listed([...dropped, ...stay]));
    // PyIceberg reads no equality deletes.
    const isRefused = stay.some(({ content }) => content === 'equality-deletes');
    if (isRefused) expect(before.rows).toContain('equality');
    else expect(before.rows).toEqual(rows);
    expect(await it.duckdb()).toEqual(rows);

    const project = await it.openProject();
    expect(await it.maintain(project)).toMatchObject({ droppedDeletes: dropped.length });
    const after = await it.inspect();
    expect(named(after)).toEqual(listed(stay));
    expect(after.rows).toEqual(before.rows);

    // They are in the snapshot before, which expires with the next maintenance; a file that has a vector in use stays.
    const next = await maintainOnce(maintenanceDeps(project), it.name, { expiry: { olderThanMs: 0n } });
    expect(next.droppedDeletes).toBe(0);
    const used = new Set(stay.map(({ filePath }) => filePath));
    expect(dropped.map(({ filePath }) => existsSync(filePath))).toEqual(
      dropped.map(({ filePath }) => used.has(filePath)),
    );
    expect(stay.every(({ filePath }) => existsSync(filePath))).toBe(true);
    expect(await it.duckdb()).toEqual(rows);
  });
});

describeInterop('health has the figures that PyIceberg counts over the manifests', () => {
  test.each([2, 3] as const)('version %i, partitioned, with deletes', async (formatVersion) => {
    const it = await Maintained.create(formatVersion, 'part');
    for (const first of [0, 10, 20]) {
      await it.table.append(
        [1, 2, 3, 4].map((n) => [first + n, ['a', 'b', 'c'][n % 2] ?? '', n === 4 ? null : n] satisfies NewRow),
      );
    }
    await it.table.append([[100, 'c', 1]]);
    await it.table.deleteWhere('id IN (1, 12, 13)');
    await it.table.deleteWhere('id IN (2, 21)');
    // Two files of a partition would be packed into one and a bit: not a round figure.
    const { metadata, catalog, identifier } = await it.table.load();
    const bytes = (await it.table.plan(await it.table.load())).map(({ file }) => file.fileSizeInBytes);
    const target = String((bytes[0] ?? 0n) + (bytes[1] ?? 0n) / 2n);
    const updates = new Map([['write.target-file-size-bytes', target]]);
    await catalog?.commitTable(identifier, { requirements: [], updates: [{ action: 'set-properties', updates }] });
    const nowMs = BigInt(Date.now()) + 3_600_000n;
    const { oldestSnapshotAgeMs, freshnessMs, reads, ...health } = await tableHealth(await it.table.load(), nowMs);
    const { figures, rows } = await it.inspect();
    const { oldestSnapshotMs = 0, currentSnapshotMs = 0, ...counted } = figures;
    const plain = Object.fromEntries(Object.entries(health).map(([name, value]) => [name, Number(value)]));
    expect(plain).toEqual(counted);
    expect(reads).toBeNull();
    expect([oldestSnapshotAgeMs, freshnessMs]).toEqual([
      nowMs - BigInt(oldestSnapshotMs),
      nowMs - BigInt(currentSnapshotMs),
    ]);
    expect(metadata.formatVersion).toBe(formatVersion);
    // The state that this test is about: three partitions, small files, and five of thirteen rows deleted.
    expect(counted).toMatchObject({ partitions: 3, rows: 13 });
    expect(counted.deleteRatio).toBeCloseTo(5 / 13, 12);
    expect(counted.smallFiles).toBeGreaterThan(0);
    expect(rows).toHaveLength(8);
  });
});
