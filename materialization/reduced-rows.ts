/**
 * Reduced rows: the rows that are left of a run's source once each of its parts, or another engine, has kept the winners among the
 * rows that it read. They are staged by shard as files of a table of no catalog, and listed in a file beside the plan; the shards of the
 * run merge them.
 */
import { z } from 'zod';
import { MoraineError } from '../errors/index.js';
import type { ResolvedView } from '../features/index.js';
import {
  type NestedField,
  newTableMetadata,
  parseTableMetadata,
  type Schema,
  type TableMetadata,
  tableMetadataToJson,
} from '../iceberg/index.js';
import type { Location } from '../locations/index.js';
import { schemaOf } from '../reduction/index.js';
import type { FileIO } from '../storage/index.js';
import type { PinnedTable } from '../tables/index.js';
import type { MaterializationPlan, PlannedSourceFile, SourceRead } from './plan.js';
import { fileJson, fileToJson } from './plan-json.js';

/** A file of reduced rows. */
export interface ReducedFile extends PlannedSourceFile {
  /** The shard that all of its rows belong to; null: each row says so itself. */
  readonly shard: number | null;
}

export interface ReducedRows {
  /** The table that the files were written for: its schema has the columns of {@link reducedSchema}. */
  readonly table: Required<PinnedTable>;
  readonly files: readonly ReducedFile[];
}

/** The read that rows come from: of appended rows or of a rebuild, the newest of each entity or all times. */
export interface ReducedGroup {
  readonly of: 'append' | 'rebuild';
  readonly keep: SourceRead['keep'];
}

/** All groups; the column `g` has the place of a row's group in this list. */
export const REDUCED_GROUPS: readonly ReducedGroup[] = [
  { of: 'append', keep: 'newest' },
  { of: 'append', keep: 'all' },
  { of: 'rebuild', keep: 'newest' },
  { of: 'rebuild', keep: 'all' },
];

/** The number of a group in the column `g`. */
export function groupNumber({ of, keep }: ReducedGroup): number {
  return REDUCED_GROUPS.findIndex((group) => group.of === of && group.keep === keep);
}

/**
 * The columns of reduced rows: `g` (see {@link REDUCED_GROUPS}), `shard`, the join keys `k0..`, the event time `t`, the created time `c` (if
 * the view has one), the features `f0..`, and `seq`, the sequence number that decides ties. Field ids are 1 to n in this order; fields
 * inside nested types come after them.
 */
export function reducedSchema(view: ResolvedView): Schema {
  return schemaOf([
    ['g', { kind: 'int' }],
    ['shard', { kind: 'int' }],
    ...view.joinKeys.map(({ type }, index) => [`k${index}`, type] as const),
    ['t', view.timestamp.type],
    ...(view.created === null ? [] : [['c', view.created.type] as const]),
    ...view.features.map(({ type }, index) => [`f${index}`, type] as const),
    ['seq', { kind: 'long' }],
  ]);
}

/**
 * Metadata of a table for reduced rows, partitioned by shard. It is in no catalog.
 * @param location the folder of the table
 * @param properties of a table that tell where data files go
 */
export function reducedTableMetadata(
  view: ResolvedView,
  location: Location,
  tableUuid: string,
  properties: ReadonlyMap<string, string> = new Map(),
): TableMetadata {
  const schema = reducedSchema(view);
  const { id: sourceId } = columnNamed(schema, 'shard');
  const field = { sourceId, fieldId: 1000, name: 'shard', transform: { kind: 'identity' } } as const;
  return newTableMetadata({
    schema,
    partitionSpec: { specId: 0, fields: [field] },
    location,
    properties,
    tableUuid,
    nowMs: 0n,
  });
}

/** A column of reduced rows. @throws METADATA_CORRUPT if the table lacks it */
export function columnNamed(schema: Schema, name: string): NestedField {
  const column = schema.fields.find((field) => field.name === name);
  if (column !== undefined) return column;
  throw new MoraineError('METADATA_CORRUPT', `A table of reduced rows has no column '${name}'.`);
}

/** The location of a list of reduced rows, beside the plan: what keeps the plan from being swept keeps the list as well. */
export function reducedLocation(planLocation: Location, part: string): Location {
  return `${planLocation.replace(/\.json$/, '')}-reduced-${part}.json`;
}

/** The beginning of the names of a run's files of reduced rows. Leases protect what begins with the run's key. */
export const reducedFilePrefix = ({ runKey }: Pick<MaterializationPlan, 'runKey'>): string =>
  `${runKey.slice(0, 12)}-reduced-`;

const MAX_REDUCED_BYTES = 64 * 2 ** 20;

const reducedJson = z.object({
  version: z.literal(1),
  table: z.object({
    metadataLocation: z.string(),
    metadata: z.string().transform((text) => parseTableMetadata(text)),
  }),
  files: z.array(z.tuple([z.number().int().nonnegative().nullable(), fileJson])),
});

/** Stores a list of reduced rows. */
export async function writeReducedRows(io: FileIO, location: Location, { table, files }: ReducedRows): Promise<void> {
  if (table.metadata === undefined) throw new TypeError('reduced rows need the metadata of their table');
  const json = {
    version: 1,
    table: { ...table, metadata: tableMetadataToJson(table.metadata) },
    files: files.map(({ shard, ...file }) => [shard, fileToJson(file)]),
  };
  await io.create(location, Buffer.from(JSON.stringify(json)));
}

/** Reads what {@link writeReducedRows} wrote. @throws FILE_NOT_FOUND, LIMIT_EXCEEDED; METADATA_CORRUPT if the file is something else */
export async function readReducedRows(io: FileIO, location: Location): Promise<ReducedRows> {
  const bytes = await io.read(location, { maxBytes: MAX_REDUCED_BYTES });
  let parsed: z.infer<typeof reducedJson>;
  try {
    parsed = reducedJson.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new MoraineError('METADATA_CORRUPT', `${location} is not a list of reduced rows.`, { cause });
  }
  const { table, files } = parsed;
  return { table, files: files.map(([shard, file]) => ({ ...file, shard })) };
}
