/** Commits without a snapshot: computed anew on every base, and found out about when their answer is lost. */
import { expect, test } from 'vitest';
import type { Catalog } from '../../../catalogs/index.js';
import { MoraineError } from '../../../errors/index.js';
import type { TableMetadata, TableUpdate } from '../../../iceberg/index.js';
import { commitUpdates } from '../../../tables/index.js';
import { rejectionCode } from '../../support/error-code.js';
import { tableFixture } from '../../support/table-fixture.js';

const setProperty = (name: string, value: string): TableUpdate => ({
  action: 'set-properties',
  updates: new Map([[name, value]]),
});

/** Adds a word to a list in one property: lost if it were computed on another base than it lands on. */
const addWord =
  (word: string) =>
  ({ properties }: TableMetadata): readonly TableUpdate[] | null => {
    const words = (properties.get('words') ?? '').split(' ').filter((known) => known !== '');
    return words.includes(word) ? null : [setProperty('words', [...words, word].sort().join(' '))];
  };

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

test('updates of many writers to one property are all there', async () => {
  const { table, load } = await tableFixture({ properties: new Map([['commit.retry.num-retries', '50']]) });
  const words = Array.from({ length: 8 }, (_, index) => `w${index}`);
  await Promise.all(words.map((word) => commitUpdates(table, addWord(word))));
  expect((await load()).metadata.properties.get('words')).toBe(words.join(' '));
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
  expect((await load()).metadata.properties.get('words')).toBe('first second');
});

test('nothing to do: no commit', async () => {
  const { table } = await tableFixture();
  const result = await commitUpdates(table, () => null);
  expect(result.metadataLocation).toBe(table.metadataLocation);
});

test('a lost answer of a commit that landed is found out', async () => {
  const { table, catalog, load } = await tableFixture();
  const result = await commitUpdates({ ...table, catalog: losingAnswers(catalog, () => true) }, addWord('w'));
  expect(result.metadata.properties.get('words')).toBe('w');
  expect((await load()).metadata.metadataLog).toHaveLength(1);
});

test('while the base is still current the outcome stays unknown', async () => {
  const { table, catalog } = await tableFixture();
  const commit = commitUpdates({ ...table, catalog: losingAnswers(catalog, () => false) }, addWord('w'));
  expect(await rejectionCode(commit)).toBe('COMMIT_STATE_UNKNOWN');
});

test('a lower format version is refused', async () => {
  const { table } = await tableFixture({ formatVersion: 3 });
  const down = commitUpdates(table, () => [{ action: 'upgrade-format-version', formatVersion: 2 }]);
  expect(await rejectionCode(down)).toBe('INVALID_ARGUMENT');
});
