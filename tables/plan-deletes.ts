/** Scan planning: which delete files and deletion vectors apply to the planned data files. */
import {
  allFields,
  type BoundExpression,
  type DataFile,
  type DeleteFile,
  DeleteIndex,
  type FileDeletes,
  hasDeletes,
  type ManifestFile,
  mightMatch,
  type Schema,
} from '../iceberg/index.js';
import { comparableLocation } from '../locations/index.js';
import { mapConcurrently } from '../storage/index.js';
import { readManifestEntries } from './manifest-files.js';
import type { FilePruner, PlannedFile } from './planned-file.js';
import type { Table } from './table.js';

/** The deletes that a plan's files are read with. Files are counted once, however many data files they apply to. */
export interface DeleteStats {
  readonly manifestsRead: number;
  readonly positionDeleteFiles: number;
  readonly deletionVectors: number;
  readonly equalityDeleteFiles: number;
  /** Bytes of these files; for a vector, the bytes of its blob. */
  readonly bytes: bigint;
  /** Live delete files of the snapshot that apply to no planned data file. */
  readonly skipped: number;
}

export interface PlannedDeletes {
  readonly files: readonly PlannedFile[];
  readonly stats: DeleteStats;
}

export interface DeletesRequest {
  readonly schema: Schema;
  readonly filter: BoundExpression | undefined;
  readonly pruners: ReadonlyMap<number, FilePruner>;
}

/** The files, each with the deletes that apply to it. @throws MoraineError `MANIFEST_CORRUPT`, and what reading a manifest may throw */
export async function planDeletes(
  table: Table,
  files: readonly PlannedFile[],
  manifests: readonly ManifestFile[],
  request: DeletesRequest,
): Promise<PlannedDeletes> {
  const { pruners, filter } = request;
  const isKept = (manifest: ManifestFile) => pruners.get(manifest.partitionSpecId)?.manifest(manifest) ?? true;
  const chosen = files.length === 0 ? [] : manifests.filter(isKept);
  const read = await mapConcurrently(chosen, (manifest) => readManifestEntries(table.io, table.metadata, manifest));
  const live = read.flat().filter(({ status }) => status !== 'deleted');
  const candidates = live.filter(({ dataFile }) => {
    if (!(pruners.get(dataFile.specId)?.partition(dataFile) ?? true)) return false;
    return filter === undefined || dataFile.content !== 'equality-deletes' || mightMatch(filter, keysOnly(dataFile));
  });
  const index = new DeleteIndex(
    candidates.map(({ dataFile, sequenceNumber }) => ({ file: dataFile, sequenceNumber: sequenceNumber ?? 0n })),
    { specs: table.metadata.partitionSpecs, schema: wholeSchema(table, request.schema), normalize: comparableLocation },
  );
  const planned = files.map((planned): PlannedFile => {
    const deletes = index.forDataFile(planned.file, planned.sequenceNumber);
    return hasDeletes(deletes) ? { ...planned, deletes } : planned;
  });
  return { files: planned, stats: statsOf(planned, live.length, chosen.length) };
}

/**
 * An equality delete takes rows that equal it in its delete columns, and in those alone: what it knows of other columns says
 * nothing of the rows it takes.
 */
function keysOnly(file: DataFile): DataFile {
  const keep = <T>(map: ReadonlyMap<number, T> | undefined) => {
    const ids = new Set(file.equalityIds);
    return new Map([...(map ?? [])].filter(([id]) => ids.has(id)));
  };
  return {
    ...file,
    valueCounts: keep(file.valueCounts),
    nullValueCounts: keep(file.nullValueCounts),
    nanValueCounts: keep(file.nanValueCounts),
    lowerBounds: keep(file.lowerBounds),
    upperBounds: keep(file.upperBounds),
  };
}

/** The schema with the columns that other schemas of the table have besides: deletes may go by dropped columns. */
function wholeSchema({ metadata }: Table, schema: Schema): Schema {
  const known = new Set(allFields(schema).map(({ field }) => field.id));
  const dropped = metadata.schemas.toReversed().flatMap((other) =>
    other.fields.filter((field) => {
      const isNew = !known.has(field.id);
      known.add(field.id);
      return isNew;
    }),
  );
  return { ...schema, fields: [...schema.fields, ...dropped] };
}

function statsOf(files: readonly PlannedFile[], live: number, manifestsRead: number): DeleteStats {
  const { applied, ...counted } = countDeletes(files);
  return { manifestsRead, ...counted, skipped: live - applied };
}

/** The deletes that apply to some planned files, each once. */
export function countDeletes(
  files: readonly PlannedFile[],
): Omit<DeleteStats, 'manifestsRead' | 'skipped'> & { readonly applied: number } {
  const used = new Set(files.flatMap(({ deletes }) => (deletes === undefined ? [] : deleteFilesOf(deletes))));
  const applied = [...used].map(({ file }) => file);
  const vectors = applied.filter((file) => file.fileFormat === 'PUFFIN');
  const equality = applied.filter((file) => file.content === 'equality-deletes');
  return {
    applied: applied.length,
    positionDeleteFiles: applied.length - vectors.length - equality.length,
    deletionVectors: vectors.length,
    equalityDeleteFiles: equality.length,
    bytes: applied.reduce((sum, file) => sum + (file.contentSizeInBytes ?? file.fileSizeInBytes), 0n),
  };
}

/** All deletes of a data file. */
export function deleteFilesOf({ vector, positions, equality }: FileDeletes): readonly DeleteFile[] {
  return [...(vector === undefined ? [] : [vector]), ...positions, ...equality];
}
