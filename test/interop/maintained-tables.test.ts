import { expect, test } from 'vitest';
import { tidyManifests } from '../../maintenance/index.js';
import { commitUpdates } from '../../tables/index.js';
import { expireOnce } from '../support/maintain-once.js';
import { maintenanceDepsOf } from '../support/maintenance-lab.js';
import { describeInterop, python } from '../support/python.js';
import { openTableWorld } from '../support/table-world.js';

const LONG = { kind: 'long' as const };
const SCHEMA = { schemaId: 0, identifierFieldIds: [], fields: [{ id: 1, name: 'id', required: false, type: LONG }] };

describeInterop('maintained tables', () => {
  test('PyIceberg reads every snapshot that stays', async () => {
    const world = await openTableWorld();
    await world.create('t', SCHEMA);
    const ids: bigint[] = [];
    for (const id of [1, 2, 3, 4, 5]) ids.push((await world.append('t', `SELECT ${id}::BIGINT AS id`)).snapshotId);
    const [, second = 0n, , , last = 0n] = ids;
    await commitUpdates(await world.load('t'), ({ refs }) =>
      refs.has('v2') ? null : [{ action: 'set-snapshot-ref', refName: 'v2', ref: { type: 'tag', snapshotId: second } }],
    );
    const load = () => world.load('t');
    const deps = maintenanceDepsOf(load, async function* () {
      yield await load();
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    await expireOnce(deps, 'demo.t', { olderThanMs: 0n });
    const { snapshotId } = await tidyManifests(deps, 'demo.t');
    const all = [1, 2, 3, 4, 5];
    const catalog = { type: 'sql', name: 'local', uri: world.catalogUri, warehouse: world.warehouse };
    expect(await python('read_snapshots.py', JSON.stringify(catalog), 'demo.t')).toEqual({
      [String(second)]: [1, 2],
      [String(last)]: all,
      ...(snapshotId === null ? {} : { [String(snapshotId)]: all }),
    });
  });
});
