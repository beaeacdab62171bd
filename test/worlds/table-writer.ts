/** Writes the snapshots of a table world: manifests, manifest lists and metadata, with no catalog and no commit of ours. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type DataFile,
  type ManifestEntry,
  type ManifestFile,
  type ManifestListToWrite,
  manifestFileOf,
  type PartitionSpec,
  partitionType,
  type Schema,
  type Snapshot,
  type SnapshotRef,
  type TableMetadata,
  tableMetadataToJson,
  UNSORTED,
  writeManifest,
  writeManifestList,
} from '../../iceberg/index.js';
import { writeManifestListV1, writeManifestV1 } from './manifest-v1.js';
import type { Random } from './random.js';
import { asType } from './rows.js';
import type { Value } from './values.js';

/** When the first snapshot of any table was made; each further one comes a millisecond later. */
export const FIRST_SNAPSHOT_MS = 1_700_000_000_000n;

/** A file to add; of rewritten rows the data sequence number may be an older one. */
export interface AddedFile {
  readonly file: DataFile;
  readonly sequence?: bigint;
}

interface Entry {
  readonly dataFile: DataFile;
  readonly sequence: bigint;
  readonly fileSequence: bigint;
  readonly snapshotId: bigint;
}

interface Manifest {
  readonly content: ManifestFile['content'];
  readonly specId: number;
  readonly entries: readonly Entry[];
  file: ManifestFile;
}

/** The result of a commit. */
export interface Committed {
  readonly snapshotId: bigint;
  readonly sequence: bigint;
}

export class TableWriter {
  readonly location: string;
  formatVersion: 1 | 2 | 3;
  /** Whether snapshots of version 1 list their manifests themselves, as early writers did. */
  readonly isInline: boolean;
  /** Besides the main branch. */
  readonly refs = new Map<string, SnapshotRef>();
  readonly properties = new Map<string, string>();
  readonly schemas: Schema[];
  readonly specs: PartitionSpec[];
  readonly snapshots: Snapshot[] = [];
  readonly #random: Random;
  readonly #uuid: string;
  #manifests: Manifest[] = [];
  /** First row ids of data files, once assigned. */
  readonly #rowIds = new Map<DataFile, bigint>();
  #sequence = 0n;
  #nextRowId = 0n;
  #written = 0;

  constructor(random: Random, location: string, formatVersion: 1 | 2 | 3, schema: Schema, spec: PartitionSpec) {
    this.#random = random;
    this.location = location;
    this.formatVersion = formatVersion;
    this.isInline = formatVersion === 1 && random.chance(0.4);
    this.schemas = [schema];
    this.specs = [spec];
    const hex = (length: number): string => Array.from({ length }, () => random.int(0, 15).toString(16)).join('');
    this.#uuid = [8, 4, 4, 4, 12].map(hex).join('-');
  }

  get schema(): Schema {
    return this.schemas.at(-1) as Schema;
  }

  get spec(): PartitionSpec {
    return this.specs.at(-1) as PartitionSpec;
  }

  async prepare(): Promise<void> {
    await mkdir(join(this.location, 'data'), { recursive: true });
    await mkdir(join(this.location, 'metadata'), { recursive: true });
  }

  /** A path for a new file. */
  path(folder: 'data' | 'metadata', suffix: string): string {
    return join(this.location, folder, `${++this.#written}-${suffix}`);
  }

  /** The id of a data file's first row, in v3. */
  firstRowId(file: DataFile): bigint | undefined {
    return this.#rowIds.get(file);
  }

  /** Adds and removes files in one snapshot. */
  async commit(operation: string, added: readonly AddedFile[], removed: ReadonlySet<DataFile>): Promise<Committed> {
    const { formatVersion } = this;
    const sequence = formatVersion === 1 ? 0n : ++this.#sequence;
    const snapshotId = BigInt(this.#random.int(1, 2 ** 31)) * 2n ** 31n + BigInt(this.#random.int(0, 2 ** 31 - 1));
    const kept: Manifest[] = [];
    for (const manifest of this.#manifests) {
      const touched = manifest.entries.some((entry) => removed.has(entry.dataFile));
      const rewritten = touched ? await this.#rewrite(manifest, removed, snapshotId, sequence) : manifest;
      kept.push(rewritten);
    }
    const firstRowId = this.#nextRowId;
    const fresh = await this.#addedManifests(added, snapshotId, sequence);
    this.#assignRowIds([...fresh, ...kept]);
    this.#manifests = [...fresh, ...kept.filter((manifest) => manifest.entries.length > 0)];
    const parent = this.snapshots.at(-1)?.snapshotId ?? null;
    const manifests = [...fresh, ...kept].map((manifest) => manifest.file);
    const listed = { snapshotId, parentSnapshotId: parent, sequenceNumber: sequence, manifests };
    this.snapshots.push({
      snapshotId,
      ...(parent === null ? {} : { parentSnapshotId: parent }),
      sequenceNumber: sequence,
      timestampMs: FIRST_SNAPSHOT_MS + BigInt(this.snapshots.length),
      ...(this.isInline
        ? { manifests: manifests.map(({ manifestPath }) => manifestPath) }
        : { manifestList: await this.#writeList(listed) }),
      summary: new Map([['operation', operation]]),
      schemaId: this.schema.schemaId,
      ...(formatVersion === 3 ? { firstRowId, addedRows: this.#nextRowId - firstRowId } : {}),
    });
    return { snapshotId, sequence };
  }

  async #writeList(list: Omit<ManifestListToWrite, 'formatVersion'>): Promise<string> {
    const path = this.path('metadata', 'snap.avro');
    const { formatVersion } = this;
    const bytes =
      formatVersion === 1 ? writeManifestListV1(list.manifests) : writeManifestList({ ...list, formatVersion });
    await writeFile(path, bytes);
    return path;
  }

  /** Adds a schema or spec; it counts from now on. */
  evolve(change: { readonly schema?: Schema; readonly spec?: PartitionSpec }): void {
    if (change.schema !== undefined) this.schemas.push(change.schema);
    if (change.spec !== undefined) this.specs.push(change.spec);
  }

  /** Writes the metadata file. Returns its location. */
  async finish(): Promise<string> {
    const current = this.snapshots.at(-1)?.snapshotId ?? null;
    const lastUpdatedMs = FIRST_SNAPSHOT_MS + BigInt(this.snapshots.length);
    const metadata: TableMetadata = {
      formatVersion: this.formatVersion,
      tableUuid: this.#uuid,
      location: this.location,
      lastSequenceNumber: this.#sequence,
      lastUpdatedMs,
      lastColumnId: 10_000,
      schemas: this.schemas,
      currentSchemaId: this.schema.schemaId,
      partitionSpecs: this.specs,
      defaultSpecId: this.spec.specId,
      lastPartitionId: Math.max(999, ...this.specs.flatMap((spec) => spec.fields.map((field) => field.fieldId))),
      sortOrders: [UNSORTED],
      defaultSortOrderId: 0,
      properties: this.properties,
      currentSnapshotId: current,
      snapshots: this.snapshots,
      snapshotLog: this.snapshots.map(({ snapshotId, timestampMs }) => ({ snapshotId, timestampMs })),
      metadataLog: [],
      refs: new Map([
        ...(current === null ? [] : [['main', { snapshotId: current, type: 'branch' }] as [string, SnapshotRef]]),
        ...this.refs,
      ]),
      ...(this.formatVersion === 3 ? { nextRowId: this.#nextRowId } : {}),
      otherFields: new Map(),
    };
    const path = this.path('metadata', 'v.metadata.json');
    await writeFile(path, tableMetadataToJson(metadata));
    return path;
  }

  /** One manifest of added files for each content and spec; now and then one for each file. */
  async #addedManifests(added: readonly AddedFile[], snapshotId: bigint, sequence: bigint): Promise<Manifest[]> {
    const alone = this.#random.chance(0.2);
    const groups = new Map<string, AddedFile[]>();
    for (const [index, one] of added.entries()) {
      const key = `${one.file.content === 'data'} ${one.file.specId} ${alone ? index : ''}`;
      groups.set(key, [...(groups.get(key) ?? []), one]);
    }
    const manifests: Manifest[] = [];
    for (const files of groups.values()) {
      const entries = files.map(({ file, sequence: own }) => ({
        dataFile: file,
        sequence: own ?? sequence,
        fileSequence: sequence,
        snapshotId,
      }));
      const written = files.map(
        ({ file, sequence: own }): ManifestEntry => ({
          status: 'added',
          snapshotId: this.formatVersion > 1 && this.#random.chance(0.5) ? null : snapshotId,
          sequenceNumber: own ?? null,
          fileSequenceNumber: own === undefined ? null : sequence,
          dataFile: file,
        }),
      );
      manifests.push(await this.#write(entries, written, snapshotId, sequence));
    }
    return manifests;
  }

  /** The manifest again without the removed files, which it lists as deleted. */
  async #rewrite(manifest: Manifest, removed: ReadonlySet<DataFile>, snapshotId: bigint, sequence: bigint) {
    const written = manifest.entries.map((entry): ManifestEntry => {
      const isRemoved = removed.has(entry.dataFile);
      return {
        status: isRemoved ? 'deleted' : 'existing',
        snapshotId: isRemoved ? snapshotId : entry.snapshotId,
        sequenceNumber: entry.sequence,
        fileSequenceNumber: entry.fileSequence,
        dataFile: entry.dataFile,
      };
    });
    const live = manifest.entries.filter((entry) => !removed.has(entry.dataFile));
    return await this.#write(live, written, snapshotId, sequence);
  }

  async #write(
    live: readonly Entry[],
    written: readonly ManifestEntry[],
    snapshotId: bigint,
    sequence: bigint,
  ): Promise<Manifest> {
    const first = (written[0] as ManifestEntry).dataFile;
    const content: Manifest['content'] = first.content === 'data' ? 'data' : 'deletes';
    const spec = this.specs.find(({ specId }) => specId === first.specId) as PartitionSpec;
    const { schema, schemas: otherSchemas, formatVersion } = this;
    const types = partitionType(spec, schema, otherSchemas);
    const entries = written.map((entry): ManifestEntry => {
      const partition = entry.dataFile.partition.map((value, index) =>
        asType(value as Value, types[index]?.type ?? { kind: 'unknown' }),
      ) as DataFile['partition'];
      const firstRowId = this.#rowIds.get(entry.dataFile);
      const lineage = firstRowId === undefined ? {} : { firstRowId };
      return { ...entry, dataFile: { ...entry.dataFile, partition, ...lineage } };
    });
    const codec = this.#random.pick(['null', 'deflate'] as const);
    const bytes =
      formatVersion === 1
        ? writeManifestV1(schema, otherSchemas, spec, entries)
        : writeManifest({ formatVersion, content, schema, otherSchemas, spec, entries, codec });
    const manifestPath = this.path('metadata', 'm.avro');
    await writeFile(manifestPath, bytes);
    const place = { manifestPath, manifestLength: BigInt(bytes.length), content, snapshotId, sequenceNumber: sequence };
    const file = manifestFileOf({ ...place, spec, schema, otherSchemas, entries });
    return { content, specId: spec.specId, entries: live, file };
  }

  /**
   * Specification, "First Row ID Assignment": manifests without a first row id get one, each after the rows of those before it;
   * in them, files without one follow in their order.
   */
  #assignRowIds(manifests: readonly Manifest[]): void {
    if (this.formatVersion < 3) return;
    for (const manifest of manifests) {
      if (manifest.content !== 'data' || manifest.file.firstRowId !== undefined) continue;
      manifest.file = { ...manifest.file, firstRowId: this.#nextRowId };
      let next = this.#nextRowId;
      for (const { dataFile } of manifest.entries) {
        if (this.#rowIds.has(dataFile)) continue;
        this.#rowIds.set(dataFile, next);
        next += dataFile.recordCount;
      }
      this.#nextRowId += (manifest.file.addedRowsCount ?? 0n) + (manifest.file.existingRowsCount ?? 0n);
    }
  }
}
