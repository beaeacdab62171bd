import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkFiles, readFileLayouts, scanSql } from '../../../engine/index.js';
import { changed, i64 } from '../../../engine/parquet/thrift-fields.js';
import { I32, type ThriftStruct, type ThriftValue, writeThrift } from '../../../engine/parquet/thrift-tree.js';
import type { IcebergType } from '../../../iceberg/index.js';
import { localPath } from '../../../locations/index.js';
import { field, type Harness, openHarness, schemaOf } from './harness.js';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

// Names and numbers of parquet.thrift.
const [REQUIRED, OPTIONAL, REPEATED] = [0, 1, 2];
const [MAP, LIST] = [1, 3];
const [PLAIN, RLE] = [0, 3];
const INT32 = 1;

type Node = readonly [
  name: string,
  repetition: number,
  fieldId: number,
  converted?: number | undefined,
  children?: number,
];
/** Levels of repetition and definition, and the value of those that have one. */
type Cell = readonly [repetition: number, definition: number, value?: number];
interface Leaf {
  readonly path: readonly string[];
  readonly cells: readonly Cell[];
}

const empty: ThriftStruct = { kind: 'struct', fields: new Map() };
const i32 = (value: number): ThriftValue => ({ kind: 'integer', type: I32, value: BigInt(value) });
const text = (value: string): ThriftValue => ({ kind: 'bytes', type: 8, bytes: Buffer.from(value) });
const list = (elementType: number, items: readonly ThriftValue[]): ThriftValue => ({
  kind: 'list',
  elementType,
  items,
});
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};

function element([name, repetition, id, converted, children]: Node): ThriftStruct {
  return changed(empty, [
    ...(children === undefined ? [[1, i32(INT32)] as const] : []),
    [3, i32(repetition)],
    [4, text(name)],
    ...(children === undefined ? [] : [[5, i32(children)] as const]),
    ...(converted === undefined ? [] : [[6, i32(converted)] as const]),
    [9, i32(id)],
  ]);
}

/** A page of levels in runs of one, and of values as they are. */
function page(cells: readonly Cell[]): Buffer {
  const levels = (place: 0 | 1): Buffer => {
    const runs = Buffer.from(cells.flatMap((cell) => [2, cell[place]]));
    return Buffer.concat([int32(runs.length), runs]);
  };
  const values = cells.flatMap(([, , value]) => (value === undefined ? [] : [int32(value)]));
  const content = Buffer.concat([levels(0), levels(1), ...values]);
  const data = changed(empty, [
    [1, i32(cells.length)],
    [2, i32(PLAIN)],
    [3, i32(RLE)],
    [4, i32(RLE)],
  ]);
  const header = changed(empty, [
    [1, i32(0)],
    [2, i32(content.length)],
    [3, i32(content.length)],
    [5, data],
  ]);
  return Buffer.concat([writeThrift(header), content]);
}

/** A file of one row group, by hand: no writer of today lays lists out like this. Source: Apache Parquet format. */
function parquet(nodes: readonly Node[], leaves: readonly Leaf[], rows: number): Buffer {
  const parts: Buffer[] = [Buffer.from('PAR1')];
  let offset = 4;
  const chunks = leaves.map(({ path, cells }) => {
    const bytes = page(cells);
    const meta = changed(empty, [
      [1, i32(INT32)],
      [2, list(I32, [i32(PLAIN), i32(RLE)])],
      [3, list(8, path.map(text))],
      [4, i32(0)],
      [5, i64(cells.length)],
      [6, i64(bytes.length)],
      [7, i64(bytes.length)],
      [9, i64(offset)],
    ]);
    parts.push(bytes);
    offset += bytes.length;
    return changed(empty, [
      [2, i64(0)],
      [3, meta],
    ]);
  });
  const root = changed(empty, [
    [4, text('schema')],
    [5, i32(1)],
  ]);
  const group = changed(empty, [
    [1, list(12, chunks)],
    [2, i64(offset - 4)],
    [3, i64(rows)],
  ]);
  const footer = writeThrift(
    changed(empty, [
      [1, i32(1)],
      [2, list(12, [root, ...nodes.map(element)])],
      [3, i64(rows)],
      [4, list(12, [group])],
    ]),
  );
  return Buffer.concat([...parts, footer, int32(footer.length), Buffer.from('PAR1')]);
}

async function read(name: string, content: Buffer, type: IcebergType): Promise<unknown> {
  const path = localPath(join(harness.folder, name));
  await writeFile(path, content);
  return await harness.engine.withConnection(async (connection) => {
    const layouts = await readFileLayouts(connection, [path]);
    const schema = schemaOf(field(1, 'l', type));
    const rows = await connection.rows(
      `SELECT l::VARCHAR FROM ${scanSql({ schema, files: [{ path, recordCount: 3n }], layouts })}`,
    );
    return rows.map(([value]) => value);
  });
}

// Parquet format, "Nested Types", backward compatibility of lists: a repeated group of one field that is repeated itself is the element.
it.each(['array', 'l_tuple', 'list'])(
  'reads lists of lists in two levels, as old writers lay them out (%s)',
  async (name) => {
    const content = parquet(
      [
        ['l', OPTIONAL, 1, LIST, 1],
        [name, REPEATED, 2, LIST, 1],
        ['array', REPEATED, 3],
      ],
      [
        {
          path: ['l', name, 'array'],
          cells: [
            [0, 3, 1],
            [2, 3, 2],
            [1, 2],
            [1, 3, 3],
            [0, 1],
            [0, 0],
          ],
        },
      ],
      3,
    );
    const inner = { kind: 'list', elementId: 3, elementRequired: false, element: { kind: 'long' } } as const;
    const type = { kind: 'list', elementId: 2, elementRequired: false, element: inner } as const;
    expect(await read(`lists-${name}.parquet`, content, type)).toEqual(['[[1, 2], [], [3]]', '[]', null]);
  },
);

it.each(['array', 'l_tuple', 'list'])(
  'reads lists of maps in two levels, as old writers lay them out (%s)',
  async (name) => {
    const map = ['l', name, 'map'];
    const content = parquet(
      [
        ['l', OPTIONAL, 1, LIST, 1],
        [name, REPEATED, 2, MAP, 1],
        ['map', REPEATED, 7, undefined, 2],
        ['key', REQUIRED, 3],
        ['value', OPTIONAL, 4],
      ],
      [
        {
          path: [...map, 'key'],
          cells: [
            [0, 3, 1],
            [2, 3, 2],
            [1, 2],
            [0, 1],
            [0, 0],
          ],
        },
        {
          path: [...map, 'value'],
          cells: [
            [0, 4, 10],
            [2, 3],
            [1, 2],
            [0, 1],
            [0, 0],
          ],
        },
      ],
      3,
    );
    const inner = {
      kind: 'map',
      keyId: 3,
      key: { kind: 'long' },
      valueId: 4,
      valueRequired: false,
      value: { kind: 'long' },
    } as const;
    const type = { kind: 'list', elementId: 2, elementRequired: false, element: inner } as const;
    expect(await read(`maps-${name}.parquet`, content, type)).toEqual(['[{1=10, 2=NULL}, {}]', '[]', null]);
  },
);

it('looks at a file with a repeated field that nothing says is a list, beside names that differ by letter case alone', async () => {
  const cells: readonly Cell[] = [[0, 2, 7]];
  const content = parquet(
    [
      ['g', OPTIONAL, 1, undefined, 3],
      ['x', OPTIONAL, 2, undefined, 1],
      ['y', REPEATED, 3],
      ['a', OPTIONAL, 4],
      ['A', OPTIONAL, 5],
    ],
    [
      { path: ['g', 'x', 'y'], cells: [[0, 3, 7]] },
      { path: ['g', 'a'], cells },
      { path: ['g', 'A'], cells },
    ],
    1,
  );
  const path = localPath(join(harness.folder, 'repeated.parquet'));
  await writeFile(path, content);
  const layouts = await harness.engine.withConnection((connection) =>
    checkFiles(connection, [{ path, fileSizeInBytes: BigInt(content.length) }]),
  );
  const names = layouts.get(path)?.columns[0]?.children.map(({ name, sourceName = name }) => [name, sourceName]);
  expect(names).toEqual([
    ['x', 'x'],
    ['a', 'a'],
    ['A_1', 'A'],
  ]);
});
