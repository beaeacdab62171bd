/** Commits without a snapshot: computed anew on every base, and found out about when their answer is lost. */
import { expect, test } from 'vitest';
import type { Catalog } from '../../../catalogs/index.js';
import { MoraineError } from '../../../errors/index.js';
import type { TableMetadata, TableUpdate } from '../../../iceberg/index.js';
import { commitUpdates } from '../../../tables/index.js';
import { failureOf, rejectionCode } from '../../support/error-code.js';
import { tableFixture } from '../../support/table-fixture.js';

const setProperty = (name: string, value: string): TableUpdate => ({
  action: 'set-properties',
  updates: new Map([[name, value]]),
});

const addWord =
  (word: string) =>
  ({ properties }: TableMetadata): readonly TableUpdate[] | null =>
    properties.has(word) ? null : [setProperty(word, 'there')];

const wordsOf = ({ properties }: TableMetadata): readonly string[] =>
  [...properties].flatMap(([name, value]) => (value === 'there' ? [name] : [])).sort();

/** A catalog whose commits lose their answer, after they were applied or before. */
function losingAnswers(catalog: Catalog, isApplied: (attempt: number) => boolean): Catalog {
  let attempt = 0;
  return withCommits(catalog, async (identifier, request) => {
    if (isApplied(++attempt)) await catalog.commitTable(identifier, request);
    throw new MoraineError('COMMIT_STATE_UNKNOWN', 'The answer was lost.');
  });
}

function withCommits(catalog: Catalog, commitTable: Catalog['commitTable']): Catalog {
  return new Proxy(catalog, {
    get: (target, name) => {
      if (name === 'commitTable') return commitTable;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

test('updates of many writers are all there', async () => {
  const { table, load } = await tableFixture({ properties: new Map([['commit.retry.num-retries', '50']]) });
  const words = Array.from({ length: 8 }, (_, index) => `w${index}`);
  await Promise.all(words.map((word) => commitUpdates(table, addWord(word))));
  expect(wordsOf((await load()).metadata)).toEqual(words);
});

test('what another writer commits between the reading and the commit is not lost', async () => {
  const { table, catalog, load } = await tableFixture();
  let other: Promise<unknown> | undefined;
  const overtaken = withCommits(catalog, async (identifier, request) => {
    other ??= commitUpdates(table, addWord('first'));
    await other;
    return catalog.commitTable(identifier, request);
  });
  await commitUpdates({ ...table, catalog: overtaken }, addWord('second'));
  expect(wordsOf((await load()).metadata)).toEqual(['first', 'second']);
});

test('nothing to do: no commit', async () => {
  const { table } = await tableFixture();
  const result = await commitUpdates(table, () => null);
  expect(result.metadataLocation).toBe(table.metadataLocation);
});

test('a lost answer of a commit that landed is found out', async () => {
  const { table, catalog, load } = await tableFixture();
  const result = await commitUpdates({ ...table, catalog: losingAnswers(catalog, () => true) }, addWord('w'));
  expect(wordsOf(result.metadata)).toEqual(['w']);
  expect((await load()).metadata.metadataLog).toHaveLength(1);
});

test('a commit that has not landed is sent again', async () => {
  const { table, catalog } = await tableFixture();
  let attempts = 0;
  const lossy = withCommits(catalog, async (identifier, request) => {
    attempts += 1;
    if (attempts === 3) return catalog.commitTable(identifier, request);
    throw new MoraineError('COMMIT_STATE_UNKNOWN', 'The answer was lost.');
  });
  expect(wordsOf((await commitUpdates({ ...table, catalog: lossy }, addWord('w'))).metadata)).toEqual(['w']);
  expect(attempts).toBe(3);
});

test('a commit that is refused after one of which nobody knows: the outcome is unknown, not a conflict', async () => {
  const { table, catalog } = await tableFixture({ properties: new Map([['commit.retry.num-retries', '1']]) });
  let attempts = 0;
  const refusing = withCommits(catalog, () => {
    attempts += 1;
    const code = attempts === 1 ? 'COMMIT_STATE_UNKNOWN' : 'COMMIT_CONFLICT';
    return Promise.reject(new MoraineError(code, 'Refused.'));
  });
  const commit = commitUpdates({ ...table, catalog: refusing }, addWord('w'));
  expect(await rejectionCode(commit)).toBe('COMMIT_STATE_UNKNOWN');
  expect(attempts).toBe(6);
});

test('an update that is never seen to have landed: the outcome is unknown', async () => {
  const { table, catalog } = await tableFixture();
  const commit = commitUpdates({ ...table, catalog: losingAnswers(catalog, () => false) }, addWord('w'));
  expect(await rejectionCode(commit)).toBe('COMMIT_STATE_UNKNOWN');
});

test('a lower format version is refused', async () => {
  const { table } = await tableFixture({ formatVersion: 3 });
  const down = commitUpdates(table, () => [{ action: 'upgrade-format-version', formatVersion: 2 }]);
  expect(await rejectionCode(down)).toBe('INVALID_ARGUMENT');
});

test('a catalog that takes updates without doing them is told of, and not asked for ever', async () => {
  const { table, catalog } = await tableFixture();
  let commits = 0;
  const forgetful = withCommits(catalog, async (identifier) => {
    commits += 1;
    if (commits > 500) throw new MoraineError('CATALOG_UNAVAILABLE', 'It was asked for ever.');
    return await catalog.loadTable(identifier);
  });
  const failure = await failureOf(commitUpdates({ ...table, catalog: forgetful }, addWord('w')));
  expect([failure.code, failure.message]).toEqual([
    'UNSUPPORTED_FEATURE',
    expect.stringContaining('took 50 commits one after the other (set-properties)'),
  ]);
  expect(commits).toBe(50);
});
