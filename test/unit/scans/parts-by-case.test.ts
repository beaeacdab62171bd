/** Parts of files of a store whose columns have names that differ by letter case alone. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { quoteLiteral, readableScanSql } from '../../../engine/index.js';
import { bytesOf, changed, listOf } from '../../../engine/parquet/thrift-fields.js';
import { readThrift, type ThriftStruct, writeThrift } from '../../../engine/parquet/thrift-tree.js';
import type { TableMetadata } from '../../../iceberg/index.js';
import { openFiles } from '../../../scans/index.js';
import { DiskCache } from '../../../storage/index.js';
import { OPEN_GATE } from '../../simulation/gate.js';
import { MemoryFileIO, MemoryStorage } from '../../simulation/memory-file-io.js';
import { temporaryFolder } from '../../support/temp-folder.js';
import { field, type Harness, openHarness, schemaOf } from '../engine/harness.js';

const ROOT = 's3://bucket/table';
const LOCATION = `${ROOT}/data/f.parquet`;

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

const long = { kind: 'long' } as const;
const schema = schemaOf(field(1, 'first', long), field(2, 'second', long), field(3, 'third', long));

/** DuckDB writes no such names: they are put into the footer. */
async function written(names: readonly string[], fieldIds: boolean): Promise<Buffer> {
  const path = join(harness.folder, `${Math.random()}.parquet`);
  const ids = fieldIds ? ', FIELD_IDS {c0: 1, c1: 2, c2: 3}' : '';
  await harness.engine.withConnection((connection) =>
    connection.run(`COPY (SELECT 1::BIGINT AS c0, 10::BIGINT AS c1, 100::BIGINT AS c2)
      TO ${quoteLiteral(path)} (FORMAT parquet${ids})`),
  );
  const content = await readFile(path);
  const start = content.length - 8 - content.readUInt32LE(content.length - 8);
  const footer = readThrift(content.subarray(start)).struct;
  const elements = listOf(footer, 2);
  const items = (elements.items as readonly ThriftStruct[]).map((element) => {
    const name = names[Number(/^c(\d)$/.exec(Buffer.from(bytesOf(element, 4) ?? []).toString())?.[1] ?? names.length)];
    return name === undefined ? element : changed(element, [[4, { kind: 'bytes', type: 8, bytes: Buffer.from(name) }]]);
  });
  const tail = writeThrift(changed(footer, [[2, { ...elements, items }]]));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(tail.length);
  return Buffer.concat([content.subarray(0, start), tail, length, Buffer.from('PAR1')]);
}

test.each([
  [['a', 'A', 'b'], true],
  [['a', 'A', 'b'], false],
  [['a_1', 'a', 'A'], false],
  [['a', 'A', 'a_1'], false],
  [['abc', 'ABC', 'Abc'], true],
  [['abc', 'ABC', 'Abc'], false],
] as const)('columns %j (field ids: %s) are told apart, whichever are read', async (names, hasIds) => {
  const storage = new MemoryStorage(() => Date.now());
  storage.create(LOCATION, await written(names, hasIds));
  const properties = new Map(
    hasIds
      ? []
      : [
          [
            'schema.name-mapping.default',
            JSON.stringify(names.map((name, index) => ({ 'field-id': index + 1, names: [name] }))),
          ],
        ],
  );
  const metadata = { schemas: [schema], properties } as unknown as TableMetadata;
  const cache = new DiskCache({ folder: join(temporaryFolder(), 'cache'), maxBytes: 2 ** 30, endBytes: 64 });
  const io = new MemoryFileIO(storage, [ROOT], OPEN_GATE, cache);
  const size = BigInt(storage.require(LOCATION).content.length);
  const file = { location: LOCATION, recordCount: 1n, fileSizeInBytes: size };
  const read = (columns: readonly number[]) =>
    harness.engine.withConnection(async (connection) => {
      const open = await openFiles(connection, { io, metadata }, [file]);
      const relation = await readableScanSql(connection, { ...open, schema, columns });
      return await connection.rows(`FROM ${relation}`);
    });
  const values = [1n, 10n, 100n];
  for (const columns of [[1], [2], [3], [1, 2], [2, 3], [1, 3], [1, 2, 3]])
    expect([columns, await read(columns)]).toEqual([columns, [columns.map((id) => values[id - 1])]]);
});
