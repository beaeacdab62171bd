/** PyIceberg reads tables that Moraine deleted rows from, rewrote, repacked and upgraded. */
import { expect, it } from 'vitest';
import { commitRewrite, commitRewriteManifests } from '../../tables/index.js';
import { describeInterop, python } from '../support/python.js';
import { RowTable } from '../support/row-table.js';

interface Reading {
  readonly rows: readonly { readonly id: number; readonly x: number | null }[];
  readonly problems: readonly string[];
  readonly summaries: readonly Record<string, string>[];
}

async function read({ world, name }: RowTable): Promise<Reading> {
  return python<Reading>('read_ours.py', world.catalogUri, world.warehouse, `demo.${name}`);
}

const values = ({ rows }: Reading) => rows.map(({ id, x }) => [id, x]).sort(([a], [b]) => Number(a) - Number(b));

describeInterop('PyIceberg reads row-level changes of ours', () => {
  it.each([2, 3] as const)(
    'version %i: deletes, a rewrite with deletes carried, repacked manifests',
    async (version) => {
      const table = await RowTable.create(version, 'part');
      await table.append([1, 2, 3, 4, 9].map((id) => [id, id % 2 === 0 ? 'a' : 'b', id]));
      await table.append([5, 6, 7].map((id) => [id, id % 2 === 0 ? 'a' : 'b', null]));
      await table.deleteWhere('id IN (1, 6)');
      const deleted = await read(table);
      expect(deleted.problems).toEqual([]);
      expect(values(deleted)).toEqual([
        [2, 2],
        [3, 3],
        [4, 4],
        [5, null],
        [7, null],
        [9, 9],
      ]);
      const { table: planned, request } = await table.stageRewrite(await table.dataPaths());
      await table.deleteWhere('id = 3');
      await table.append([[8, 'a', 8]]);
      await commitRewrite(planned, request);
      await commitRewriteManifests(await table.load(), {});
      const rewritten = await read(table);
      expect(values(rewritten)).toEqual([
        [2, 2],
        [4, 4],
        [5, null],
        [7, null],
        [8, 8],
        [9, 9],
      ]);
      expect(rewritten.summaries.at(-1)).toMatchObject({ 'total-data-files': '3', 'total-position-deletes': '1' });
    },
  );

  it('what PyIceberg deletes meanwhile, by writing files anew, stays deleted', async () => {
    const table = await RowTable.create(2); // PyIceberg writes no tables of version 3
    await table.append([1, 2, 3].map((id) => [id, 'a', id]));
    await table.append([4, 5].map((id) => [id, 'a', id]));
    await table.append([[6, 'a', 6]]);
    const { table: planned, request } = await table.stageRewrite(await table.dataPaths());
    const { world, name } = table;
    await python('change_ours.py', world.catalogUri, world.warehouse, `demo.${name}`, 'delete', 'id in (2, 4, 5)');
    await commitRewrite(planned, request);
    const left = [1, 3, 6].map((id) => [id, id]);
    expect((await table.rows()).map(({ id, x }) => [Number(id), Number(x)])).toEqual(left);
    expect(values(await read(table))).toEqual(left);
  });
});
