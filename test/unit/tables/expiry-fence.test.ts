/** An expiry beside work that protects a snapshot, on a catalog that removes refs together with the snapshots that they point at. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { Catalog, CommitRequest } from '../../../catalogs/index.js';
import { MoraineError } from '../../../errors/index.js';
import type { TableMetadata, TableUpdate } from '../../../iceberg/index.js';
import {
  commitAppend,
  commitExpiryBehindFence,
  commitProtection,
  commitUpdates,
  loadTable,
  type Table,
} from '../../../tables/index.js';
import { OPEN_GATE } from '../../simulation/gate.js';
import { RequirementsOnly } from '../../simulation/requirements-only.js';
import { rejectionCode } from '../../support/error-code.js';
import { dataFile, IDENTIFIER, tableFixture } from '../../support/table-fixture.js';

type Updates = (base: TableMetadata) => readonly TableUpdate[] | null;

let catalog: Catalog;
let load: () => Promise<Table>;
let first: bigint;
let second: bigint;

beforeEach(async () => {
  const fixture = await tableFixture();
  catalog = new RequirementsOnly(fixture.catalog).client(OPEN_GATE);
  load = () => loadTable(catalog, fixture.io, IDENTIFIER);
  first = (await commitAppend(await load(), { files: [dataFile(['a'])] })).snapshotId;
  second = (await commitAppend(await load(), { files: [dataFile(['b'])] })).snapshotId;
});

/** Removes the first snapshot unless a tag or branch points at it. */
const expireFirst: Updates = ({ snapshots, refs }) => {
  const isThere = snapshots.some(({ snapshotId }) => snapshotId === first);
  const isNamed = [...refs.values()].some(({ snapshotId }) => snapshotId === first);
  return isThere && !isNamed ? [{ action: 'remove-snapshots', snapshotIds: [first] }] : null;
};

const tagFirst: Updates = ({ refs }) =>
  refs.has('kept') ? null : [{ action: 'set-snapshot-ref', refName: 'kept', ref: { type: 'tag', snapshotId: first } }];

/** The table, with a catalog that does something before the first removal of snapshots reaches it. */
async function beforeTheRemoval(then: (request: CommitRequest) => Promise<void>): Promise<Table> {
  let isDone = false;
  const commitTable: Catalog['commitTable'] = async (identifier, request) => {
    if (!isDone && request.updates.some(({ action }) => action === 'remove-snapshots')) {
      isDone = true;
      await then(request);
    }
    return catalog.commitTable(identifier, request);
  };
  const watched = new Proxy(catalog, {
    get: (target, name): unknown => (name === 'commitTable' ? commitTable : Reflect.get(target, name, target)),
  });
  return { ...(await load()), catalog: watched };
}

async function state(): Promise<{ snapshots: readonly bigint[]; refs: readonly string[] }> {
  const { metadata } = await load();
  return { snapshots: metadata.snapshots.map(({ snapshotId }) => snapshotId), refs: [...metadata.refs.keys()].sort() };
}

test('with nobody beside it, the snapshot goes and no fence is left', async () => {
  await commitExpiryBehindFence(await load(), expireFirst);
  expect(await state()).toEqual({ snapshots: [second], refs: ['main'] });
});

test('nothing to remove: no commit', async () => {
  const { metadataLocation } = await load();
  await commitExpiryBehindFence(await load(), () => null);
  expect((await load()).metadataLocation).toBe(metadataLocation);
});

describe('a snapshot that is tagged when its removal is under way', () => {
  test('stays, and so does its tag', async () => {
    const table = await beforeTheRemoval(async () => void (await commitProtection(await load(), tagFirst)));
    await commitExpiryBehindFence(table, expireFirst);
    expect(await state()).toEqual({ snapshots: [first, second], refs: ['kept', 'main'] });
  });

  test('stays, however late the removal arrives', async () => {
    let late: CommitRequest | undefined;
    const table = await beforeTheRemoval((request) => {
      late = request;
      return Promise.reject(new MoraineError('CATALOG_UNAVAILABLE', 'Simulated: the request travels on.'));
    });
    expect(await rejectionCode(commitExpiryBehindFence(table, expireFirst))).toBe('CATALOG_UNAVAILABLE');
    expect((await state()).refs).toHaveLength(2);
    await commitProtection(await load(), tagFirst);
    if (late === undefined) throw new Error('no removal was sent');
    expect(await rejectionCode(catalog.commitTable(IDENTIFIER, late))).toBe('COMMIT_CONFLICT');
    expect(await state()).toEqual({ snapshots: [first, second], refs: ['kept', 'main'] });
  });

  test('goes with its tag where the fence is not taken down: such catalogs do not say so', async () => {
    const table = await beforeTheRemoval(async () => void (await commitUpdates(await load(), tagFirst)));
    await commitExpiryBehindFence(table, expireFirst);
    expect(await state()).toEqual({ snapshots: [second], refs: ['main'] });
  });
});

test('a branch that is moved to a snapshot whose removal is under way keeps it', async () => {
  const back: Updates = ({ currentSnapshotId }) =>
    currentSnapshotId === first
      ? null
      : [{ action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId: first } }];
  const table = await beforeTheRemoval(async () => void (await commitUpdates(await load(), back)));
  await commitExpiryBehindFence(table, expireFirst);
  expect(await state()).toEqual({ snapshots: [first, second], refs: ['main'] });
});

test('a fence that was left behind is a tag that ages', async () => {
  const table = await beforeTheRemoval(() => Promise.reject(new MoraineError('CATALOG_UNAVAILABLE', 'Simulated.')));
  await rejectionCode(commitExpiryBehindFence(table, expireFirst));
  const [, fence] = [...(await load()).metadata.refs.values()];
  expect(fence).toEqual({ type: 'tag', snapshotId: second, maxRefAgeMs: 86_400_000n });
});
