/**
 * Apache Spark reads tables that Moraine wrote, deleted from, rewrote and upgraded: the same rows, and in version 3 the same row ids
 * and last-updated sequence numbers before and after a rewrite.
 */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { commitRewrite, commitRewriteManifests, commitUpdates } from '../../tables/index.js';
import { projectRoot } from '../support/paths.js';
import { describeInterop } from '../support/python.js';
import { RowTable } from '../support/row-table.js';
import { runSparkProgram } from '../support/spark.js';
import { openTableWorld } from '../support/table-world.js';

interface SparkAnswer {
  readonly rows?: readonly (readonly (string | null)[])[];
  readonly deleteFormats?: readonly string[];
  readonly error?: string;
}

/** States of tables, kept under a name each and read by Spark together: it takes long to start. */
class SparkStates {
  readonly #folder: string;
  readonly #states: string[] = [];
  readonly #ours = new Map<string, readonly (readonly (string | null)[])[]>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async keep(name: string, table: RowTable): Promise<void> {
    const { metadata, metadataLocation } = await table.load();
    // Java goes by the name: this is a compressed file.
    expect(metadataLocation).toMatch(/\.gz\.metadata\.json$/);
    const copy = join(this.#folder, `${name}.gz.metadata.json`);
    await copyFile(metadataLocation, copy);
    this.#states.push(`${name}=${copy}`);
    const rows = (await table.rows()).map(({ id, part, x, rowId, sequenceNumber }) => {
      const text = (value: bigint | string | null): string | null => (value === null ? null : String(value));
      const hasIds = rowId !== null;
      const lineage = metadata.formatVersion === 3 ? [text(rowId), hasIds ? text(sequenceNumber) : null] : [];
      return [text(id), text(part), text(x), ...lineage];
    });
    this.#ours.set(name, rows);
  }

  ours(name: string) {
    return this.#ours.get(name);
  }

  async read(): Promise<Readonly<Record<string, SparkAnswer>>> {
    const program = join(projectRoot, 'test/interop/programs/spark_reads_ours.py');
    const args = [join(this.#folder, 'spark'), ...this.#states];
    const stdout = await runSparkProgram(projectRoot, program, args, this.#folder);
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Readonly<Record<string, SparkAnswer>>;
  }
}

describeInterop('Apache Spark reads ours', () => {
  test('version 3 with vectors, rewrites with deletes carried, upsert, repacked manifests; version 2; upgraded', {
    timeout: 580_000,
  }, async () => {
    const world = await openTableWorld();
    const states = new SparkStates(world.folder);
    const v3 = await RowTable.create(3, undefined, world, 'v3');
    await v3.append([1, 2, 3, 4].map((id) => [id, 'a', id]));
    await v3.append([5, 6, 7, 8].map((id) => [id, 'b', null]));
    await states.keep('appended', v3);
    await v3.deleteWhere('id IN (1, 6)');
    await v3.deleteWhere('id = 2');
    await states.keep('vectors', v3);
    const staged = await v3.stageRewrite(await v3.dataPaths());
    await v3.deleteWhere('id = 7');
    await v3.upsert([[4, 'a', 40]]);
    await v3.append([[9, 'c', 9]]);
    await states.keep('before', v3);
    await commitRewrite(staged.table, staged.request);
    await states.keep('after', v3);
    await v3.rewrite(await v3.dataPaths());
    await states.keep('again', v3);
    await commitRewriteManifests(await v3.load(), {});
    await v3.append([[10, 'c', 10]]);
    await states.keep('repacked', v3);

    const partitioned = await RowTable.create(3, 'part', world, 'p3');
    await partitioned.append([1, 2, 3, 4].map((id) => [id, id % 2 === 0 ? 'a' : 'b', id]));
    await partitioned.append([5, 6].map((id) => [id, id % 2 === 0 ? 'a' : 'b', id]));
    await partitioned.deleteWhere('id IN (1, 2)');
    await states.keep('partitioned', partitioned);
    await partitioned.rewrite(await partitioned.dataPaths());
    await states.keep('partitioned_rewritten', partitioned);

    const v2 = await RowTable.create(2, undefined, world, 'v2');
    await v2.append([1, 2, 3, 4].map((id) => [id, 'a', id]));
    await v2.append([5, 6].map((id) => [id, 'b', id]));
    await v2.deleteWhere('id IN (1, 5)');
    await v2.upsert([[3, 'a', 30]]);
    await states.keep('v2', v2);
    await v2.deleteWhere('id = 2');
    await commitUpdates(await v2.load(), ({ formatVersion }) =>
      formatVersion === 3 ? null : [{ action: 'upgrade-format-version', formatVersion: 3 }],
    );
    await states.keep('upgraded', v2);
    await v2.append([[7, 'c', 7]]);
    await states.keep('upgraded_appended', v2);
    await v2.deleteWhere('id = 4');
    await states.keep('upgraded_deleted', v2);
    await v2.rewrite(await v2.dataPaths());
    await states.keep('upgraded_rewritten', v2);

    // A table of its own: Spark gives rows of a file that was rewritten in version 2 the file's sequence number, the specification the
    // data sequence number, which we write into the rows when they are rewritten once more.
    const plain = await RowTable.create(2, undefined, world, 'plain');
    await plain.append([1, 2, 3, 4].map((id) => [id, 'a', id]));
    await plain.append([5, 6].map((id) => [id, 'b', id]));
    await plain.deleteWhere('id IN (1, 5)');
    await plain.upsert([[3, 'a', 30]]);
    await plain.rewrite((await plain.dataPaths()).slice(0, 2));
    await states.keep('v2_rewritten', plain);

    const answers = await states.read();
    for (const [name, { rows, error }] of Object.entries(answers)) {
      expect.soft(error, name).toBe(undefined);
      expect.soft(rows, name).toEqual(states.ours(name));
    }
    expect(Object.keys(answers)).toHaveLength(14);
    // By Spark's own answers: a rewrite changes neither rows nor their ids nor their numbers.
    expect(answers['after']?.rows).toEqual(answers['before']?.rows);
    expect(answers['again']?.rows).toEqual(answers['before']?.rows);
    expect(answers['repacked']?.rows?.slice(0, -1)).toEqual(answers['before']?.rows);
    expect(answers['partitioned_rewritten']?.rows).toEqual(answers['partitioned']?.rows);
    expect(answers['upgraded_rewritten']?.rows).toEqual(answers['upgraded_deleted']?.rows);
    expect(answers['v2_rewritten']?.rows).toEqual(answers['v2']?.rows);
    expect(answers['vectors']?.deleteFormats).toEqual(['PUFFIN', 'PUFFIN']);
    expect(answers['again']?.deleteFormats).toEqual([]);
    expect(answers['upgraded_deleted']?.deleteFormats).toContain('PUFFIN');
  });
});
