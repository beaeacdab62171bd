/**
 * Parts of a Parquet file: some columns of some row groups. A footer that names nothing else makes a file of them in which the engine
 * can reach no byte that is not there. Source: Apache Parquet format, parquet.thrift.
 */
import { MoraineError } from '../../errors/index.js';
import { bytesOf, changed, i64, listOf, numberOf, optionalNumber, structOf } from './thrift-fields.js';
import { I32, readThrift, type ThriftList, type ThriftStruct, type ThriftValue, writeThrift } from './thrift-tree.js';

/** Columns of row groups. */
export interface FilePart {
  /** Places of top-level columns in the file's schema, ascending. */
  readonly columns: readonly number[];
  /** Places of row groups in the file, ascending. */
  readonly rowGroups: readonly number[];
}

/** Bytes of a file. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** What a footer says of a column in a row group. Bounds are as Parquet stores the physical type. */
export interface ChunkFacts {
  readonly values: bigint;
  readonly nulls: bigint | undefined;
  readonly lower: Uint8Array | undefined;
  readonly upper: Uint8Array | undefined;
}

/** Field ids of parquet.thrift. */
const FILE = { schema: 2, rows: 3, rowGroups: 4, columnOrders: 7 } as const;
const ELEMENT = { children: 5, convertedType: 6, logicalType: 10 } as const;
const GROUP = { columns: 1, bytes: 2, rows: 3, sorting: 4, fileOffset: 5, compressedBytes: 6 } as const;
const CHUNK = { path: 1, meta: 3, offsetIndex: [4, 5], columnIndex: [6, 7] } as const;
const META = {
  values: 5,
  plainBytes: 6,
  compressedBytes: 7,
  dataPage: 9,
  indexPage: 10,
  dictionaryPage: 11,
  statistics: 12,
  bloom: [14, 15],
} as const;
const STATISTICS = { nulls: 3, max: 5, min: 6 } as const;
const LOGICAL_TIMESTAMP = 8;
const TIMESTAMP_UNIT = 2;
const UNIT_MICROS = 2;
const CONVERTED_MICROS = 10;

const MAGIC = Buffer.from('PAR1', 'latin1');

/** Old versions of parquet-cpp left the header of the dictionary out of a chunk's length (PARQUET-816). */
const MISSING_HEADER_BYTES = 100;

/** A column at the top of a schema. */
interface TopColumn {
  readonly elements: readonly ThriftStruct[];
  readonly firstLeaf: number;
  readonly leaves: number;
}

/** The footer of a Parquet file. */
export class FileFooter {
  /** Bytes of the whole file. */
  readonly sizeBytes: number;
  /** Where the footer begins; data comes before it. */
  readonly offset: number;
  readonly #file: ThriftStruct;
  readonly #root: ThriftStruct;
  readonly #columns: readonly TopColumn[];
  readonly #groups: readonly ThriftStruct[];

  /**
   * @param footer its bytes, without the length and the magic that follow
   * @throws DATA_FILE_CORRUPT; it names no file
   */
  constructor(footer: Uint8Array, sizeBytes: number) {
    this.sizeBytes = sizeBytes;
    this.offset = sizeBytes - footer.length - 4 - MAGIC.length;
    const [file, root, columns, groups] = readable(() => {
      const struct = readThrift(footer).struct;
      const schema = listOf(struct, FILE.schema).items;
      const [first, ...elements] = schema;
      if (first === undefined) throw new Error('its schema is empty');
      return [struct, first, topColumns(first, elements), listOf(struct, FILE.rowGroups).items] as const;
    });
    this.#file = file;
    this.#root = root;
    this.#columns = columns;
    this.#groups = groups;
  }

  get columnCount(): number {
    return this.#columns.length;
  }

  get rowGroupCount(): number {
    return this.#groups.length;
  }

  /** Whether times of a column are counted in microseconds. */
  isInMicroseconds(column: number): boolean {
    const [element] = this.#columns[column]?.elements ?? [];
    if (element === undefined) return false;
    const unit = structOf(structOf(element, ELEMENT.logicalType) ?? EMPTY, LOGICAL_TIMESTAMP);
    if (unit !== undefined) return structOf(unit, TIMESTAMP_UNIT)?.fields.has(UNIT_MICROS) === true;
    return readable(() => optionalNumber(element, ELEMENT.convertedType)) === CONVERTED_MICROS;
  }

  /** The facts of a column without columns inside; undefined for others. @throws DATA_FILE_CORRUPT; it names no file */
  facts(column: number, rowGroup: number): ChunkFacts | undefined {
    const top = this.#columns[column];
    const group = this.#groups[rowGroup];
    if (top?.elements.length !== 1 || group === undefined) return undefined;
    return readable(() => {
      const meta = metaOf(chunkOf(group, top.firstLeaf));
      const statistics = structOf(meta, META.statistics) ?? EMPTY;
      const nulls = optionalNumber(statistics, STATISTICS.nulls);
      return {
        values: BigInt(numberOf(meta, META.values)),
        nulls: nulls === undefined ? undefined : BigInt(nulls),
        lower: bytesOf(statistics, STATISTICS.min),
        upper: bytesOf(statistics, STATISTICS.max),
      };
    });
  }

  /** Where the data of a part lies, one range for each chunk, ascending. @throws DATA_FILE_CORRUPT; it names no file */
  ranges({ columns, rowGroups }: FilePart): readonly ByteRange[] {
    const leaves = columns.flatMap((column) => leavesOf(this.#columns[column]));
    const ranges = readable(() =>
      rowGroups.flatMap((rowGroup) => {
        const group = this.#groups[rowGroup] ?? EMPTY;
        return leaves.map((leaf) => this.#chunkRange(chunkOf(group, leaf)));
      }),
    );
    return ranges.sort((a, b) => a.offset - b.offset);
  }

  /**
   * The end of a file that has a part and nothing else, for the place where this footer begins: the columns are the whole schema, the row
   * groups are all that there are, and indexes and filters are left out.
   * @throws DATA_FILE_CORRUPT; it names no file
   */
  tailOf(part: FilePart): Buffer {
    return readable(() => {
      const tops = part.columns.map((column) => this.#columns[column] ?? NO_COLUMN);
      const leaves = tops.flatMap(leavesOf);
      const root = changed(this.#root, [
        [ELEMENT.children, { kind: 'integer', type: I32, value: BigInt(tops.length) }],
      ]);
      const groups = part.rowGroups.map((rowGroup) => groupOf(this.#groups[rowGroup] ?? EMPTY, leaves));
      const rows = groups.reduce((sum, group) => sum + numberOf(group, GROUP.rows), 0);
      const orders = this.#file.fields.get(FILE.columnOrders);
      const footer = writeThrift(
        changed(this.#file, [
          [
            FILE.schema,
            { ...listOf(this.#file, FILE.schema), items: [root, ...tops.flatMap(({ elements }) => elements)] },
          ],
          [FILE.rows, i64(rows)],
          [FILE.rowGroups, { ...listOf(this.#file, FILE.rowGroups), items: groups }],
          [FILE.columnOrders, orders?.kind === 'list' ? ordersOf(orders, leaves) : undefined],
        ]),
      );
      const length = Buffer.alloc(4);
      length.writeUInt32LE(footer.length);
      return Buffer.concat([footer, length, MAGIC]);
    });
  }

  #chunkRange(chunk: ThriftStruct): ByteRange {
    const meta = metaOf(chunk);
    const dataPage = numberOf(meta, META.dataPage);
    const dictionaryPage = optionalNumber(meta, META.dictionaryPage) ?? 0;
    const offset = dictionaryPage > 0 ? Math.min(dictionaryPage, dataPage) : dataPage;
    const length = numberOf(meta, META.compressedBytes);
    if (offset < MAGIC.length || length < 0 || offset + length > this.offset) {
      throw new Error('a column lies outside the file');
    }
    return { offset, length: Math.min(length + MISSING_HEADER_BYTES, this.offset - offset) };
  }
}

const EMPTY: ThriftStruct = { kind: 'struct', fields: new Map() };
const NO_COLUMN: TopColumn = { elements: [], firstLeaf: 0, leaves: 0 };

const leavesOf = ({ firstLeaf, leaves }: TopColumn = NO_COLUMN): number[] =>
  Array.from({ length: leaves }, (_, index) => firstLeaf + index);

/** The flattened tree of a schema, cut at the children of its root. */
function topColumns(root: ThriftStruct, elements: readonly ThriftStruct[]): readonly TopColumn[] {
  const columns: TopColumn[] = [];
  let next = 0;
  let leaf = 0;
  for (let index = 0; index < numberOf(root, ELEMENT.children); index += 1) {
    const start = next;
    const firstLeaf = leaf;
    for (let open = 1; open > 0; open -= 1) {
      const element = elements[next];
      if (element === undefined) throw new Error('its schema is cut off');
      const children = optionalNumber(element, ELEMENT.children) ?? 0;
      if (children === 0) leaf += 1;
      open += children;
      next += 1;
    }
    columns.push({ elements: elements.slice(start, next), firstLeaf, leaves: leaf - firstLeaf });
  }
  return columns;
}

function chunkOf(group: ThriftStruct, leaf: number): ThriftStruct {
  const chunk = listOf(group, GROUP.columns).items[leaf];
  if (chunk === undefined) throw new Error('a row group lacks a column');
  return chunk;
}

function metaOf(chunk: ThriftStruct): ThriftStruct {
  const meta = structOf(chunk, CHUNK.meta);
  if (meta === undefined) throw new Error('a column has no metadata');
  if (chunk.fields.has(CHUNK.path)) throw new Error('a column lies in another file');
  return meta;
}

function groupOf(group: ThriftStruct, leaves: readonly number[]): ThriftStruct {
  const metas = leaves.map((leaf) => metaOf(chunkOf(group, leaf)));
  const sum = (id: number): ThriftValue => i64(metas.reduce((bytes, meta) => bytes + numberOf(meta, id), 0));
  const items = leaves.map((leaf) => {
    const chunk = chunkOf(group, leaf);
    const meta = changed(
      metaOf(chunk),
      [META.indexPage, ...META.bloom].map((id) => [id, undefined]),
    );
    const indexes = [...CHUNK.offsetIndex, ...CHUNK.columnIndex].map((id): [number, undefined] => [id, undefined]);
    return changed(chunk, [[CHUNK.meta, meta], ...indexes]);
  });
  return changed(group, [
    [GROUP.columns, { ...listOf(group, GROUP.columns), items }],
    [GROUP.bytes, sum(META.plainBytes)],
    [GROUP.sorting, undefined],
    [GROUP.fileOffset, undefined],
    [GROUP.compressedBytes, sum(META.compressedBytes)],
  ]);
}

const ordersOf = (orders: ThriftList, leaves: readonly number[]): ThriftList => ({
  ...orders,
  items: leaves.flatMap((leaf) => orders.items[leaf] ?? []),
});

function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const message = `A data file is damaged: ${(cause as Error).message}.`;
    throw new MoraineError('DATA_FILE_CORRUPT', message, { cause });
  }
}
