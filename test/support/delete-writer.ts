/** Delete files and the snapshots that add them, as merge-on-read engines write them: for tables that Moraine wrote the data of. */
import { randomUUID } from 'node:crypto';
import type { Catalog, TableIdentifier } from '../../catalogs/index.js';
import type { Engine } from '../../engine/index.js';
import {
  currentSchema,
  currentSnapshot,
  type DataFile,
  encodeDeletionVector,
  type ManifestEntry,
  type ManifestFile,
  manifestFileOf,
  type PartitionTuple,
  type TableMetadata,
  writeManifest,
  writeManifestList,
  writePuffin,
} from '../../iceberg/index.js';
import type { FileIO } from '../../storage/index.js';
import { loadTable, readManifestEntries, readSnapshotManifests, type Table } from '../../tables/index.js';
import { putFile } from './put-file.js';

export interface DeletedPosition {
  readonly path: string;
  readonly position: number;
}

/** The partition that a delete file is written for. */
export interface DeletePartition {
  readonly specId?: number;
  readonly partition?: PartitionTuple;
}

export class DeleteWriter {
  readonly #deps: { readonly io: FileIO; readonly catalog: Catalog; readonly engine: Engine };
  readonly #identifier: TableIdentifier;

  constructor(
    deps: { readonly io: FileIO; readonly catalog: Catalog; readonly engine: Engine },
    table: TableIdentifier,
  ) {
    this.#deps = deps;
    this.#identifier = table;
  }

  load(): Promise<Table> {
    return loadTable(this.#deps.catalog, this.#deps.io, this.#identifier);
  }

  /** A Parquet position-delete file. */
  async positions(rows: readonly DeletedPosition[], fields: Partial<DataFile> = {}): Promise<DataFile> {
    const values = rows.map(({ path, position }) => `('${path.replaceAll("'", "''")}', ${position}::BIGINT)`);
    const select = `SELECT * FROM (VALUES ${values.join(', ')}) AS v(file_path, pos) ORDER BY ALL`;
    const file = await this.#parquet(select, '{file_path: 2147483546, pos: 2147483545}');
    return { ...this.#described('position-deletes', file, rows.length), ...fields };
  }

  /** A Parquet equality-delete file: the rows of `select`, whose columns have the ids of `columns`, in order. */
  async equality(
    columns: Readonly<Record<string, number>>,
    select: string,
    fields: Partial<DataFile> = {},
    fieldIds = `{${Object.entries(columns)
      .map(([name, id]) => `"${name}": ${id}`)
      .join(', ')}}`,
  ): Promise<DataFile> {
    const file = await this.#parquet(select, fieldIds);
    const rows = await this.#deps.engine.withConnection((connection) =>
      connection.rows(`SELECT count(*) FROM (${select})`),
    );
    const described = this.#described('equality-deletes', file, Number(rows[0]?.[0]));
    return { ...described, equalityIds: Object.values(columns), ...fields };
  }

  /** One Puffin file with a deletion vector for each data file. */
  async vectors(
    deletes: readonly { readonly path: string; readonly positions: readonly number[] }[],
    fields: Partial<DataFile> = {},
  ): Promise<readonly DataFile[]> {
    const { bytes, blobs } = writePuffin(
      deletes.map(({ path, positions }) => ({
        type: 'deletion-vector-v1',
        fields: [2147483545],
        snapshotId: -1n,
        sequenceNumber: -1n,
        data: encodeDeletionVector(positions.map(BigInt)),
        properties: new Map([
          ['referenced-data-file', path],
          ['cardinality', String(new Set(positions).size)],
        ]),
      })),
    );
    const { metadata } = await this.load();
    const filePath = `${metadata.location}/data/deletes-${randomUUID()}.puffin`;
    await this.#deps.io.create(filePath, bytes);
    const file = { filePath, fileSizeInBytes: BigInt(bytes.length) };
    return deletes.map(({ path, positions }, index) => ({
      ...this.#described('position-deletes', file, new Set(positions).size),
      fileFormat: 'PUFFIN',
      referencedDataFile: path,
      contentOffset: blobs[index]?.offset ?? 0n,
      contentSizeInBytes: blobs[index]?.length ?? 0n,
      ...fields,
    }));
  }

  /**
   * Commits delete files in one snapshot, which adds nothing else. Returns its delete manifest's location.
   * @param removed delete files that go; with them all that their manifests list
   */
  async commit(deletes: readonly DataFile[], removed: readonly DataFile[] = []): Promise<string> {
    const { io, catalog } = this.#deps;
    const { metadata } = await this.load();
    const parent = currentSnapshot(metadata);
    if (parent === null) throw new Error('the table has no snapshot');
    const specId = [...deletes, ...removed][0]?.specId ?? metadata.defaultSpecId;
    const spec = metadata.partitionSpecs.find((candidate) => candidate.specId === specId);
    if (spec === undefined) throw new Error(`the table has no spec ${specId}`);
    const formatVersion = metadata.formatVersion === 3 ? 3 : 2;
    const schema = currentSchema(metadata);
    // After a roll-back the next id may be taken.
    let snapshotId = parent.snapshotId + 1n;
    while (metadata.snapshots.some((snapshot) => snapshot.snapshotId === snapshotId)) snapshotId += 1n;
    const inherited = { snapshotId: null, sequenceNumber: null, fileSequenceNumber: null };
    const entries = [
      ...deletes.map((dataFile): ManifestEntry => ({ status: 'added', ...inherited, dataFile })),
      ...removed.map(
        (dataFile): ManifestEntry => ({
          status: 'deleted',
          snapshotId,
          sequenceNumber: parent.sequenceNumber,
          fileSequenceNumber: parent.sequenceNumber,
          dataFile,
        }),
      ),
    ];
    const ids = { snapshotId, sequenceNumber: metadata.lastSequenceNumber + 1n };
    const bytes = writeManifest({ formatVersion, content: 'deletes', schema, spec, entries });
    const manifestPath = `${metadata.location}/metadata/deletes-${randomUUID()}.avro`;
    await io.create(manifestPath, bytes);
    const place = { manifestPath, manifestLength: BigInt(bytes.length), content: 'deletes' } as const;
    const added = manifestFileOf({ ...place, spec, schema, entries, ...ids });
    const firstRowId = metadata.nextRowId ?? 0n;
    let nextRowId = firstRowId;
    const before = await readSnapshotManifests(io, parent);
    const isKept = await Promise.all(before.map((manifest) => this.#keeps(metadata, manifest, removed)));
    const kept = before
      .filter((_, index) => isKept[index])
      .map((manifest) => {
        if (formatVersion === 2 || manifest.content === 'deletes' || manifest.firstRowId !== undefined) return manifest;
        const assigned = { ...manifest, firstRowId: nextRowId };
        nextRowId += (manifest.addedRowsCount ?? 0n) + (manifest.existingRowsCount ?? 0n);
        return assigned;
      });
    const manifestList = `${metadata.location}/metadata/snap-${randomUUID()}.avro`;
    const manifests = [added, ...kept];
    const parentSnapshotId = parent.snapshotId;
    await io.create(manifestList, writeManifestList({ formatVersion, parentSnapshotId, manifests, ...ids }));
    const snapshot = {
      ...ids,
      parentSnapshotId,
      timestampMs: metadata.lastUpdatedMs,
      manifestList,
      summary: new Map([['operation', 'delete']]),
      schemaId: schema.schemaId,
      ...(formatVersion === 3 ? { firstRowId, addedRows: nextRowId - firstRowId } : {}),
    };
    await catalog.commitTable(this.#identifier, {
      requirements: [],
      updates: [
        { action: 'add-snapshot', snapshot },
        { action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId: ids.snapshotId } },
      ],
    });
    return manifestPath;
  }

  async #keeps(metadata: TableMetadata, manifest: ManifestFile, removed: readonly DataFile[]): Promise<boolean> {
    if (manifest.content === 'data' || removed.length === 0) return true;
    const entries = await readManifestEntries(this.#deps.io, metadata, manifest);
    return entries.every(({ dataFile }) => removed.every(({ filePath }) => filePath !== dataFile.filePath));
  }

  /** Data written so far stays; from now on the table takes deletion vectors. */
  async upgradeToV3(): Promise<void> {
    await this.#deps.catalog.commitTable(this.#identifier, {
      requirements: [],
      updates: [{ action: 'upgrade-format-version', formatVersion: 3 }],
    });
  }

  async #parquet(select: string, fieldIds: string): Promise<StoredFile> {
    const { io, metadata } = await this.load();
    const filePath = `${metadata.location}/data/deletes-${randomUUID()}.parquet`;
    const fileSizeInBytes = await putFile(io, filePath, (path) =>
      this.#deps.engine.withConnection((connection) =>
        connection.run(`COPY (${select}) TO '${path}' (FORMAT parquet, FIELD_IDS ${fieldIds})`),
      ),
    );
    return { filePath, fileSizeInBytes };
  }

  #described(content: DataFile['content'], file: StoredFile, rows: number): DataFile {
    return { content, ...file, fileFormat: 'PARQUET', specId: 0, partition: [], recordCount: BigInt(rows) };
  }
}

type StoredFile = Pick<DataFile, 'filePath' | 'fileSizeInBytes'>;
