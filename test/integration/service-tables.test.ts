/** `GET /tables/{namespace}/{table}/files`: what lies on disk, read there by a DuckDB of its own. */
import { statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PartitionSpec, Schema } from '../../iceberg/index.js';
import { jsonLines, moraineOk } from '../support/cli.js';
import { DeleteWriter } from '../support/delete-writer.js';
import { FeatureLab } from '../support/feature-lab.js';
import { type JsonAnswer, type LabService, startLabService } from '../support/lab-service.js';

const TABLE = { namespace: ['shop', 'eu'], name: 'orders' };
const SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    { id: 1, name: 'id', required: false, type: { kind: 'long' } },
    { id: 2, name: 'zone', required: false, type: { kind: 'string' } },
  ],
};
const SPEC: PartitionSpec = {
  specId: 0,
  fields: [{ sourceId: 2, fieldId: 1000, name: 'zone', transform: { kind: 'identity' } }],
};

let lab: FeatureLab;
let service: LabService;
beforeAll(async () => {
  lab = await FeatureLab.open();
  await lab.catalog.createNamespace(['shop']);
  await lab.catalog.createNamespace(['shop', 'eu']);
  await lab.catalog.createTable(TABLE, { schema: SCHEMA, partitionSpec: SPEC });
  await lab.createTable('demo.empty', { id: 'long' });
  service = await startLabService(lab);
});
afterAll(async () => {
  await service.close();
  await lab.close();
});

interface File {
  readonly path: string;
  readonly rows: number;
  readonly partition: string;
}

const [ANY_TEXT, ANY_NUMBER, ANYTHING] = [String, Number, Object].map((kind) => expect.any(kind) as unknown);

const files = async (query = ''): Promise<JsonAnswer> => await service.get(`/tables/shop.eu/orders/files${query}`);
const listed = ({ body }: JsonAnswer, name = 'files'): readonly File[] => body[name] as readonly File[];

describe('the files of a table', () => {
  it('are those of its current snapshot, or of another one, as `table files` lists them', async () => {
    const first = await lab.append('shop.eu.orders', `SELECT i, 'a b' FROM range(3) AS t(i)`);
    const second = await lab.append('shop.eu.orders', `SELECT i, 'c' FROM range(4) AS t(i)`);
    const { status, body } = await files();
    expect([status, { ...body, files: [] }]).toEqual([
      200,
      { table: 'shop.eu.orders', snapshot: String(second), warning: null, files: [], deleteFiles: [] },
    ]);
    const found = body['files'] as readonly Readonly<Record<string, unknown>>[];
    const common = { content: 'data', format: 'PARQUET', specId: 0, path: ANY_TEXT, bytes: ANY_NUMBER };
    expect(found).toEqual(
      expect.arrayContaining([
        { ...common, rows: 3, partition: 'zone=a%20b', sequenceNumber: 1 },
        { ...common, rows: 4, partition: 'zone=c', sequenceNumber: 2 },
      ]),
    );
    for (const { path, bytes, rows } of found) {
      expect(bytes).toBe(statSync(String(path)).size);
      const [counted] = await lab.engine.withConnection((connection) =>
        connection.rows(`SELECT count(*) FROM read_parquet('${String(path)}')`),
      );
      expect(counted).toEqual([BigInt(Number(rows))]);
    }
    const { metadataLocation } = await lab.table('shop.eu.orders');
    const printed = jsonLines(await moraineOk(['table', 'files', metadataLocation, '--json'])) as typeof found;
    expect(printed).toEqual(found.map((facts) => ({ ...facts, columns: ANYTHING })));

    const before = await files(`?snapshot=${first}`);
    expect([before.body['snapshot'], listed(before).map(({ rows }) => rows)]).toEqual([String(first), [3]]);
  });

  it('come with a warning where rows of them are deleted, and with what deletes them', async () => {
    const writer = new DeleteWriter(lab, TABLE);
    const data = listed(await files()).find(({ partition }) => partition === 'zone=c')?.path ?? '';
    const deletes = await writer.positions([{ path: data, position: 0 }], { partition: ['c'] });
    await writer.commit([deletes]);
    const { body } = await files();
    expect(body['warning']).toMatch(
      /^1 of these files has deleted rows; .* reads the data files alone gets deleted rows/,
    );
    expect(body['files']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ path: data, rows: 4, deletedBy: [deletes.filePath] }),
        expect.not.objectContaining({ deletedBy: expect.anything() as unknown }),
      ]),
    );
    expect(body['deleteFiles']).toMatchObject([
      { content: 'position-deletes', path: deletes.filePath, rows: 1, partition: 'zone=c' },
    ]);
  });

  it('are none of a table without rows', async () => {
    expect((await service.get('/tables/demo/empty/files')).body).toEqual({
      ...{ table: 'demo.empty', snapshot: null, warning: null, files: [], deleteFiles: [] },
    });
  });

  it.each([
    ['an unknown table', '/tables/shop.eu/order/files', 404, 'TABLE_NOT_FOUND'],
    ['an unknown catalog', '/tables/shop.eu/orders/files?catalog=other', 400, 'INVALID_ARGUMENT'],
    ['an unknown snapshot', '/tables/shop.eu/orders/files?snapshot=1', 404, 'SNAPSHOT_NOT_FOUND'],
    ['a snapshot that is not a number', '/tables/shop.eu/orders/files?snapshot=x', 400, 'INVALID_ARGUMENT'],
    ['a namespace with an empty part', '/tables/shop../orders/files', 400, 'INVALID_ARGUMENT'],
    ['a hostile name', `/tables/${encodeURIComponent('../..')}/${encodeURIComponent('"x/\0')}/files`, 400, ''],
  ])('are refused for %s', async (_, path, status, code) => {
    const answer = await service.get(path);
    expect([answer.status, answer.body['code']]).toEqual([status, code === '' ? expect.any(String) : code]);
  });
});
