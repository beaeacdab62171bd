/** Row lineage of a sink that upserts into a table of version 3, as Apache Spark reads it: a row that replaces another has its id. */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseSchema } from '../../iceberg/index.js';
import { jsonRecords } from '../../sink/index.js';
import { stageRows } from '../../staging/index.js';
import { commitAppend } from '../../tables/index.js';
import { projectRoot } from '../support/paths.js';
import { describeInterop } from '../support/python.js';
import { openSinkEngine, SinkWorld } from '../support/sink-world.js';
import { runSparkProgram } from '../support/spark.js';
import { temporaryFolder } from '../support/temp-folder.js';

const SCHEMA = parseSchema({
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'key', required: true, type: 'string' },
    { id: 2, name: 'part', required: true, type: 'int' },
    { id: 3, name: 'at', required: false, type: 'int' },
  ],
});

type Row = readonly [key: string, part: number, at: number];

/** A row as Spark has it: all values as texts, row id and last-updated sequence number last. */
type SparkRow = readonly [key: string, part: string, at: string, rowId: string, sequenceNumber: string];

function json(...rows: readonly Row[]) {
  const text = rows.map(([key, part, at]) => `${JSON.stringify({ key, part, at })}\n`).join('');
  return jsonRecords({ bytes: Buffer.from(text), count: rows.length, source: 'a', partition: undefined, from: 0n }, {});
}

describeInterop('row ids of upserts', () => {
  it('a row that replaces another has its id and the sequence number of the commit, as Spark reads them', {
    timeout: 580_000,
  }, async () => {
    const { engine, close } = await openSinkEngine();
    const folder = temporaryFolder();
    const states: string[] = [];
    const fields = [{ sourceId: 2, fieldId: 1000, name: 'part', transform: { kind: 'identity' } as const }];
    const lab = await SinkWorld.open(engine, {
      schema: SCHEMA,
      partitionSpec: { specId: 0, fields },
      formatVersion: 3,
      properties: new Map([['write.metadata.compression-codec', 'gzip']]),
    });
    const keep = async (name: string): Promise<void> => {
      const copy = join(folder, `${name}.gz.metadata.json`);
      await copyFile((await lab.load()).metadataLocation, copy);
      states.push(`${name}=${copy}`);
    };
    // The claim is the first snapshot, each batch and append one more.
    const sink = await lab.sink({ upsert: { key: ['key'], order: 'at' } });
    const upsert = async (name: string, ...rows: readonly Row[]): Promise<void> => {
      await sink.writer(0).writeBatch(json(...rows));
      await sink.flush();
      await keep(name);
    };
    await upsert('first', ['a', 1, 5], ['b', 1, 5], ['c', 2, 5]);
    const table = await lab.load();
    const select = "SELECT * FROM (VALUES ('d', 2::INTEGER, 5::INTEGER))";
    const files = await engine.withConnection((connection) =>
      stageRows(connection, table, { select, namePrefix: 'foreign' }),
    );
    await commitAppend(table, { files });
    await keep('appended');
    // To another partition, too late, in place of a foreign row, a new one.
    await upsert('second', ['a', 3, 6], ['b', 1, 4], ['d', 2, 6], ['e', 1, 1]);
    await upsert('third', ['a', 1, 7], ['c', 1, 7]);
    await sink.close();
    const program = join(projectRoot, 'test/interop/programs/spark_reads_ours.py');
    const stdout = await runSparkProgram(projectRoot, program, [join(folder, 'spark'), ...states], folder);
    await close();
    const answers = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Readonly<
      Record<string, { readonly rows?: readonly SparkRow[] }>
    >;
    const rowIds = new Map<string, string>();
    for (const [key, , , rowId] of [...(answers['first']?.rows ?? []), ...(answers['appended']?.rows ?? [])])
      rowIds.set(key, rowId);
    const idOf = (key: string): string => rowIds.get(key) ?? 'none';
    expect([...rowIds.keys()]).toEqual(['a', 'b', 'c', 'd']);
    const [, , , newId = 'none'] = answers['second']?.rows?.find(([key]) => key === 'e') ?? [];
    expect(new Set([...rowIds.values(), newId]).size).toBe(5);
    expect(answers['second']?.rows).toEqual([
      ['a', '3', '6', idOf('a'), '4'],
      ['b', '1', '5', idOf('b'), '2'],
      ['c', '2', '5', idOf('c'), '2'],
      ['d', '2', '6', idOf('d'), '4'],
      ['e', '1', '1', newId, '4'],
    ]);
    expect(answers['third']?.rows).toEqual([
      ['a', '1', '7', idOf('a'), '5'],
      ['b', '1', '5', idOf('b'), '2'],
      ['c', '1', '7', idOf('c'), '5'],
      ['d', '2', '6', idOf('d'), '4'],
      ['e', '1', '1', newId, '4'],
    ]);
  });
});
