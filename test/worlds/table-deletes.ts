/** Row-level deletes of table worlds: by position (delete files in v2, vectors in v3) and by equality. */
import { type DataFile, type NestedField, partitionKey } from '../../iceberg/index.js';
import { writeAvro } from './avro-file.js';
import { primitiveFields } from './columns.js';
import { fileSize, randomLayout, randomMetrics, writeParquet } from './data-file.js';
import { PATH_COLUMN, POSITION_COLUMN, writeVectors } from './delete-files.js';
import { compareTuples } from './order.js';
import { fieldValue, type Row } from './rows.js';
import { type HeldFile, TableHistory } from './table-history.js';
import type { PlainValue, Value } from './values.js';

/** Where an equality delete counts. */
type Scope = Pick<DataFile, 'specId' | 'partition'>;

export class DeletingHistory extends TableHistory {
  /** Deletes some rows by their files and positions; now and then of files that the same commit adds. */
  async deletePositions(): Promise<void> {
    if (this.writer.formatVersion === 1) return;
    const fresh = this.random.chance(0.25) ? await this.write(this.newRows(this.random.int(1, 4))) : [];
    const files = fresh.length > 0 ? fresh : this.files;
    if (files.length === 0) return;
    if (this.writer.formatVersion === 3) await this.#deleteByVectors(files, fresh);
    else await this.#deleteByFile(files, fresh);
  }

  async #deleteByFile(files: readonly HeldFile[], fresh: readonly HeldFile[]): Promise<void> {
    const first = this.random.pick(files);
    const samePartition = [...this.files, ...fresh].filter(({ file }) => keyOf(file) === keyOf(first.file));
    const chosen = this.random.chance(0.5) ? [first] : this.random.some(samePartition, 1, 3);
    const deletes = chosen.flatMap((held) => this.#somePositions(held).map((position) => ({ held, position })));
    if (deletes.length === 0) return;
    const listed = deletes.map(({ held, position }) => ({ path: held.file.filePath, position }));
    // Rows past the end and files that are gone cannot be deleted.
    if (this.random.chance(0.2)) listed.push({ path: first.file.filePath, position: 1_000_000 });
    const isOneFile = chosen.length === 1;
    if (!isOneFile && this.random.chance(0.2)) listed.push({ path: `${first.file.filePath}.gone`, position: 0 });
    listed.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)) || a.position - b.position);
    const fileFormat = this.#deleteFormat();
    const filePath = this.writer.path('data', `deletes.${fileFormat.toLowerCase()}`);
    const rows = listed.map(({ path, position }) => [path, BigInt(position)]);
    if (fileFormat === 'AVRO') await writeAvro(this.random, filePath, [PATH_COLUMN, POSITION_COLUMN], rows);
    else await writeParquet(this.duckdb, filePath, [PATH_COLUMN, POSITION_COLUMN], rows);
    const file: DataFile = {
      content: 'position-deletes',
      filePath,
      fileFormat,
      specId: first.file.specId,
      partition: first.file.partition,
      recordCount: BigInt(listed.length),
      fileSizeInBytes: await fileSize(filePath),
      ...(isOneFile && this.random.chance(0.4) ? { referencedDataFile: (chosen[0] ?? first).file.filePath } : {}),
      ...(this.random.chance(0.6) ? pathBounds(listed) : {}),
    };
    this.steps.push(
      `delete positions in ${filePath} (${fresh.length} new files) ${listed.map(({ path, position }) => `${path}:${position}`).join(' ')}`,
    );
    for (const { held, position } of deletes) this.#kill(held, position);
    await this.commit('overwrite', fresh, [], { deletes: { added: [file], removed: [] } });
  }

  /** Vectors take the place of what deleted positions of their files before. */
  async #deleteByVectors(files: readonly HeldFile[], fresh: readonly HeldFile[]): Promise<void> {
    const chosen = new Set([this.random.pick(files), ...this.random.some(this.files, 0, 2)]);
    const vectors = [...chosen]
      .map((held) => ({ held, positions: this.#somePositions(held) }))
      .filter(({ positions }) => positions.length > 0);
    if (vectors.length === 0) return;
    for (const { held, positions } of vectors) for (const position of positions) this.#kill(held, position);
    const filePath = this.writer.path('data', 'vectors.puffin');
    const written = await writeVectors(
      filePath,
      vectors.map(({ held }) => ({ dataFile: held.file.filePath, positions: [...held.byPosition] })),
    );
    const removed = vectors.flatMap(({ held }) => (held.vector === undefined ? [] : [held.vector]));
    const size = await fileSize(filePath);
    for (const [index, { held }] of vectors.entries()) {
      const { offset, size: blobSize } = written[index] as (typeof written)[number];
      held.vector = {
        content: 'position-deletes',
        filePath,
        fileFormat: 'PUFFIN',
        specId: held.file.specId,
        partition: held.file.partition,
        recordCount: BigInt(held.byPosition.size),
        fileSizeInBytes: size,
        referencedDataFile: held.file.filePath,
        contentOffset: offset,
        contentSizeInBytes: blobSize,
      };
    }
    const said = vectors.map(({ held }) => `${held.file.filePath}:${[...held.byPosition].join(',')}`);
    this.steps.push(`delete vectors (${fresh.length} new files) ${said.join(' ')}`);
    const added = vectors.map(({ held }) => held.vector as DataFile);
    await this.commit('overwrite', fresh, [], { deletes: { added, removed } });
  }

  /** Deletes the rows that equal others in some columns, in one partition or everywhere; the same commit may bring new ones. */
  async deleteEqual(): Promise<void> {
    const comparable = primitiveFields(this.writer.schema).filter(
      ({ type }) => !['float', 'double'].includes(type.kind),
    );
    const fields = this.random.some(comparable, 1, 2);
    const live = this.files.flatMap((held) => held.rows.map((row) => ({ held, row })));
    if (this.writer.formatVersion === 1 || fields.length === 0 || live.length === 0) return;
    const examples = this.random.some(live, 1, 2);
    const valuesOf = (row: Row): Value[] => fields.map((field) => fieldValue(row.values, field));
    const tuples = examples.map(({ row }) => valuesOf(row));
    const scope = this.#equalityScope((examples[0] as (typeof examples)[number]).held.file);
    const everywhere = this.#isUnpartitioned(scope.specId);
    const counts = (file: DataFile): boolean => everywhere || keyOf(file) === keyOf(scope);
    for (const { rows, dead } of this.files.filter((held) => counts(held.file))) {
      for (const [position, row] of rows.entries()) {
        const values = valuesOf(row) as PlainValue[];
        if (tuples.some((tuple) => compareTuples(tuple as PlainValue[], values) === 0)) dead.add(position);
      }
    }
    const file = await this.#writeEquality(fields, tuples, scope);
    const deletes = { added: [file], removed: [] };
    const replaced = this.random.chance(0.5) ? [] : this.random.some(examples, 1, 2);
    const replacements = replaced.map(({ row }) => this.#again(row, fields));
    const ids = fields.map(({ id }) => id).join(',');
    this.steps.push(
      `delete equal ${ids} in ${keyOf(scope)} by ${file.filePath}: ${tuples.map((tuple) => tuple.map(String).join(',')).join(' ')}; append ${replaced.length}`,
    );
    await this.commit('overwrite', await this.write(replacements), [], { deletes });
  }

  /** No partition fields, or void ones alone, as Java's `PartitionSpec.isUnpartitioned`: equality deletes reach every file. */
  #isUnpartitioned(specId: number): boolean {
    const spec = this.writer.specs.find((candidate) => candidate.specId === specId);
    return spec?.fields.every(({ transform }) => transform.kind === 'void') ?? false;
  }

  /** A new row that the delete of its own commit does not reach. */
  #again(row: Row, fields: readonly NestedField[]): Row {
    const [fresh] = this.newRows(1) as [Row];
    return { values: new Map([...fresh.values, ...fields.map((f) => [f.id, fieldValue(row.values, f)] as const)]) };
  }

  async #writeEquality(fields: readonly NestedField[], tuples: readonly Value[][], scope: Scope): Promise<DataFile> {
    const fileFormat = this.#deleteFormat();
    const filePath = this.writer.path('data', `equality.${fileFormat.toLowerCase()}`);
    if (fileFormat === 'AVRO') await writeAvro(this.random, filePath, fields, tuples);
    else await writeParquet(this.duckdb, filePath, fields, tuples, randomLayout(this.random, tuples));
    return {
      content: 'equality-deletes',
      filePath,
      fileFormat,
      ...scope,
      recordCount: BigInt(tuples.length),
      fileSizeInBytes: await fileSize(filePath),
      equalityIds: fields.map(({ id }) => id),
      ...randomMetrics(this.random, fields, tuples),
    };
  }

  #deleteFormat(): 'AVRO' | 'PARQUET' {
    return this.hasAvro && this.random.chance(0.2) ? 'AVRO' : 'PARQUET';
  }

  /** Everywhere if the table has a spec without partitions, else the partition of a file. */
  #equalityScope({ specId, partition }: DataFile): Scope {
    const unpartitioned = this.writer.specs.find((spec) => spec.fields.length === 0);
    if (unpartitioned === undefined || this.random.chance(0.4)) return { specId, partition };
    return { specId: unpartitioned.specId, partition: [] };
  }

  #somePositions({ rows }: HeldFile): readonly number[] {
    return this.random.some([...rows.keys()], rows.length === 0 ? 0 : 1, Math.ceil(rows.length / 2));
  }

  #kill({ dead, byPosition }: HeldFile, position: number): void {
    dead.add(position);
    byPosition.add(position);
  }
}

const keyOf = ({ specId, partition }: Scope): string => partitionKey(specId, partition);

function pathBounds(deletes: readonly { readonly path: string }[]): Pick<DataFile, 'lowerBounds' | 'upperBounds'> {
  const bound = (path: string | undefined) => new Map([[PATH_COLUMN.id, Buffer.from(path ?? '')]]);
  return { lowerBounds: bound(deletes[0]?.path), upperBounds: bound(deletes.at(-1)?.path) };
}
