import { existsSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Catalog, CommitRequest, LoadedTable, TableIdentifier } from '../../catalogs/index.js';
import { MoraineError } from '../../errors/index.js';
import { currentSnapshot } from '../../iceberg/index.js';
import {
  commitAppend,
  commitOverwrite,
  planFiles,
  selectSnapshot,
  stageManifest,
  type Table,
} from '../../tables/index.js';
import { failureOf, rejectionCode } from '../support/error-code.js';
import { dataFile, FIXTURE_TABLE, IDENTIFIER, type TableFixture, tableFixture } from '../support/table-fixture.js';

type Commit = (request: CommitRequest, identifier: TableIdentifier) => Promise<LoadedTable>;

/** The real catalog, with something between a commit and its answer. */
function withCommit(catalog: Catalog, commit: (real: Commit) => Commit): Catalog {
  const real: Commit = (request, identifier) => catalog.commitTable(identifier, request);
  const changed = commit(real);
  return new Proxy(catalog, {
    get: (target, property) => {
      if (property === 'commitTable')
        return (identifier: TableIdentifier, request: CommitRequest) => changed(request, identifier);
      const value: unknown = Reflect.get(target, property);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

const unknown = () => new MoraineError('COMMIT_STATE_UNKNOWN', 'The connection was reset.');

async function livePaths(fixture: TableFixture): Promise<string[]> {
  const table = await fixture.load();
  const plan = await planFiles(table, selectSnapshot(table.metadata));
  return plan.files.map(({ file }) => file.filePath).sort();
}

/** The fixture's table through a catalog that commits like this. */
function through(fixture: TableFixture, commit: (real: Commit) => Commit): Table {
  return { ...fixture.table, catalog: withCommit(fixture.catalog, commit) };
}

test.each([{ run: { key: 'run-1' } }, {}])(
  'the answer of a commit that landed is lost: found, not repeated, nothing deleted (%j)',
  async (options) => {
    const fixture = await tableFixture();
    const file = dataFile(['x']);
    let commits = 0;
    const table = through(fixture, (real) => async (request, identifier) => {
      commits += 1;
      await real(request, identifier);
      throw unknown();
    });
    const result = await commitAppend(table, { files: [file], ...options });
    expect([result.outcome, commits]).toEqual(['committed', 1]);
    const { metadata } = await fixture.load();
    expect(metadata.snapshots.map(({ snapshotId }) => snapshotId)).toEqual([result.snapshotId]);
    expect(await livePaths(fixture)).toEqual([file.filePath]);
  },
);

test('the answer is lost and another writer commits on top before anybody looks: still recognised', async () => {
  const fixture = await tableFixture();
  const [mine, other] = [dataFile(['x']), dataFile(['x'])];
  const table = through(fixture, (real) => async (request, identifier) => {
    await real(request, identifier);
    await commitAppend(fixture.table, { files: [other] });
    throw unknown();
  });
  const result = await commitAppend(table, { files: [mine], run: { key: 'run-1' } });
  expect(result.outcome).toBe('committed');
  expect((await fixture.load()).metadata.currentSnapshotId).not.toBe(result.snapshotId);
  expect(await livePaths(fixture)).toEqual([mine.filePath, other.filePath].sort());
});

test('the answer is lost and the snapshot expires before anybody looks: the table property knows it', async () => {
  const fixture = await tableFixture();
  const [mine, other] = [dataFile(['x']), dataFile(['x'])];
  const table = through(fixture, (real) => async (request, identifier) => {
    const landed = await real(request, identifier);
    await commitAppend(fixture.table, { files: [other] });
    const snapshotIds = [landed.metadata.currentSnapshotId ?? 0n];
    await real({ requirements: [], updates: [{ action: 'remove-snapshots', snapshotIds }] }, identifier);
    throw unknown();
  });
  const run = { key: 'run-1' };
  const result = await commitAppend(table, { files: [mine], run });
  expect(result.outcome).toBe('committed');
  const again = await commitAppend(fixture.table, { files: [dataFile(['x'])], run });
  expect(again).toMatchObject({ outcome: 'already-committed', snapshotId: result.snapshotId });
  expect(await livePaths(fixture)).toEqual([mine.filePath, other.filePath].sort());
});

test('two attempts of one run, and the answer of the one that lost is lost: it reports the snapshot of the other', async () => {
  const fixture = await tableFixture();
  const [mine, twin] = [dataFile(['x']), dataFile(['x'])];
  const run = { key: 'run-1' };
  let landed = 0n;
  const table = through(fixture, () => async () => {
    landed = (await commitAppend(fixture.table, { files: [twin], run })).snapshotId;
    throw unknown();
  });
  const result = await commitAppend(table, { files: [mine], run });
  expect(result).toMatchObject({ outcome: 'already-committed', snapshotId: landed });
  expect(await livePaths(fixture)).toEqual([twin.filePath]);
});

test('a commit that lands only after it was looked for: reported unknown, nothing deleted, and the next attempt finds it', async () => {
  const fixture = await tableFixture();
  const file = dataFile(['x']);
  let landLater: () => Promise<LoadedTable> = () => Promise.reject(new Error('no commit was asked for'));
  const table = through(fixture, (real) => async (request, identifier) => {
    landLater = () => real(request, identifier);
    throw unknown();
  });
  const run = { key: 'run-1' };
  const failure = await failureOf(commitAppend(table, { files: [file], run }));
  expect(failure.code).toBe('COMMIT_STATE_UNKNOWN');
  expect(failure.details.runKey).toBe('run-1');
  expect(await livePaths(fixture)).toEqual([]);
  const landed = await landLater();
  expect(await livePaths(fixture)).toEqual([file.filePath]);
  const again = await commitAppend(fixture.table, { files: [file], run });
  expect(again).toMatchObject({ outcome: 'already-committed', snapshotId: landed.metadata.currentSnapshotId });
  const list = currentSnapshot((await fixture.load()).metadata)?.manifestList ?? '';
  expect(existsSync(list)).toBe(true);
});

test('a late commit that arrives after the next attempt landed changes nothing', async () => {
  const fixture = await tableFixture();
  const file = dataFile(['x']);
  let landLater: () => Promise<LoadedTable> = () => Promise.reject(new Error('no commit was asked for'));
  const table = through(fixture, (real) => async (request, identifier) => {
    landLater = () => real(request, identifier);
    throw unknown();
  });
  const run = { key: 'run-1' };
  const staged = await stageManifest(fixture.table, [file], 'attempt-1');
  expect(await rejectionCode(commitAppend(table, { manifests: [staged], run }))).toBe('COMMIT_STATE_UNKNOWN');
  const second = await commitAppend(fixture.table, { manifests: [staged], run });
  expect(await rejectionCode(landLater())).toBe('COMMIT_CONFLICT');
  expect((await fixture.load()).metadata.snapshots.map(({ snapshotId }) => snapshotId)).toEqual([second.snapshotId]);
  expect(await livePaths(fixture)).toEqual([file.filePath]);
});

test('an error of no known kind is treated as unknown, not as a failure', async () => {
  const fixture = await tableFixture();
  const table = through(fixture, (real) => async (request, identifier) => {
    await real(request, identifier);
    throw new TypeError('fetch failed');
  });
  expect((await commitAppend(table, { files: [dataFile(['x'])] })).outcome).toBe('committed');
});

test('a client that resent its request and met its own success: reported as a conflict, recognised as landed', async () => {
  const fixture = await tableFixture();
  const file = dataFile(['x']);
  const table = through(fixture, (real) => async (request, identifier) => {
    await real(request, identifier);
    return real(request, identifier);
  });
  const result = await commitAppend(table, { files: [file] });
  expect(result).toMatchObject({ outcome: 'committed', attempts: 1 });
  expect(await livePaths(fixture)).toEqual([file.filePath]);
  expect((await fixture.load()).metadata.snapshots).toHaveLength(1);
});

test('a commit that loses a race is prepared again on the newer base and leaves no file of the lost attempt', async () => {
  const fixture = await tableFixture({ properties: new Map([['n', '0']]) });
  const [mine, other] = [dataFile(['x']), dataFile(['x'])];
  let raced = false;
  const table = through(fixture, (real) => async (request, identifier) => {
    if (!raced) {
      raced = true;
      await commitAppend(fixture.table, { files: [other], properties: () => new Map([['n', '1']]) });
    }
    return real(request, identifier);
  });
  const properties = (base: { properties: ReadonlyMap<string, string> }) =>
    new Map([['n', `${Number(base.properties.get('n')) + 10}`]]);
  const result = await commitAppend(table, { files: [mine], properties });
  expect(result.attempts).toBe(2);
  const { metadata } = await fixture.load();
  expect(metadata.properties.get('n')).toBe('11');
  expect(metadata.snapshots.map(({ sequenceNumber }) => sequenceNumber)).toEqual([1n, 2n]);
  expect(await livePaths(fixture)).toEqual([mine.filePath, other.filePath].sort());
  const lists = readdirSync(`${metadata.location}/metadata`).filter((name) => name.startsWith('snap-'));
  expect(lists).toHaveLength(2);
});

test('an overwrite that loses a race to an append into its partition is refused for planning anew', async () => {
  const fixture = await tableFixture();
  const { snapshotId } = await commitAppend(fixture.table, { files: [dataFile(['x'])] });
  const late = dataFile(['x']);
  const table = through(fixture, (real) => async (request, identifier) => {
    await commitAppend(fixture.table, { files: [late] });
    return real(request, identifier);
  });
  const removePartitions = { specId: 0, tuples: [['x']] };
  const overwrite = commitOverwrite(table, {
    files: [dataFile(['x'])],
    removePartitions,
    validateNoNewFilesFrom: snapshotId,
  });
  expect(await rejectionCode(overwrite)).toBe('COMMIT_CONFLICT');
  expect(await livePaths(fixture)).toContain(late.filePath);
});

test('retries end: a commit that always loses is COMMIT_CONFLICT after the number the table allows', async () => {
  const fixture = await tableFixture({ properties: new Map([['commit.retry.num-retries', '2']]) });
  let commits = 0;
  const table = through(fixture, () => async () => {
    commits += 1;
    throw new MoraineError('COMMIT_CONFLICT', 'Another writer was faster.');
  });
  expect(await rejectionCode(commitAppend(table, { files: [dataFile(['x'])] }))).toBe('COMMIT_CONFLICT');
  expect(commits).toBe(3);
  expect((await fixture.load()).metadata.snapshots).toEqual([]);
});

test('a table dropped and created again is TABLE_REPLACED and is not written', async () => {
  const fixture = await tableFixture();
  const staged = await stageManifest(fixture.table, [dataFile(['x'])], 'a');
  await fixture.catalog.dropTable(IDENTIFIER);
  await fixture.catalog.createTable(IDENTIFIER, FIXTURE_TABLE);
  expect(await rejectionCode(commitAppend(fixture.table, { manifests: [staged] }))).toBe('TABLE_REPLACED');
  expect((await fixture.load()).metadata.snapshots).toEqual([]);
});

test('a table replaced between the check and the swap is TABLE_REPLACED too', async () => {
  const fixture = await tableFixture();
  const table = through(fixture, (real) => async (request, identifier) => {
    await fixture.catalog.dropTable(IDENTIFIER);
    await fixture.catalog.createTable(IDENTIFIER, FIXTURE_TABLE);
    return real(request, identifier);
  });
  expect(await rejectionCode(commitAppend(table, { files: [dataFile(['x'])] }))).toBe('TABLE_REPLACED');
  expect((await fixture.load()).metadata.snapshots).toEqual([]);
});
