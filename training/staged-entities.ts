/**
 * Entity rows that only the client can read (files, objects, SQL), staged in storage where every worker reads them: a Parquet file, and
 * beside it a description with its schema and the tables that the rows came from.
 */
import { randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import { z } from 'zod';
import { ensureNamespace } from '../catalogs/index.js';
import { type Connection, checkFiles, readableScanSql } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import {
  type CanonicalValue,
  canonicalJson,
  type EntityRelation,
  type EntitySource,
  entityTimesUs,
  getHistoricalFrame,
  type HistoricalRequest,
  stateOf,
  statesFromJson,
  statesJson,
  type TableState,
  type TimesUs,
  withMicroseconds,
} from '../features/index.js';
import { type JsonValue, parseJson, parseSchema, type Schema, schemaToJson, UNPARTITIONED } from '../iceberg/index.js';
import { openablePath } from '../scans/index.js';
import { stageFiles } from '../staging/index.js';
import type { FileIO } from '../storage/index.js';
import type { TrainingDeps } from './deps.js';
import { timesJson, timesToJson } from './times-json.js';

/** Staged rows, as their description has them. */
export interface StagedEntities {
  /** Location of the Parquet file. */
  readonly path: string;
  readonly sizeBytes: bigint;
  readonly rows: bigint;
  readonly schema: Schema;
  /** State of every table that the rows were read from, by its name. */
  readonly sources: ReadonlyMap<string, TableState>;
  readonly timesUs?: TimesUs | undefined;
}

const NAME_PREFIX = 'moraine-entities-';
const DESCRIPTION = new RegExp(`/${NAME_PREFIX}[0-9a-f-]{36}\\.json$`);
const MAX_DESCRIPTION_BYTES = 16 * 2 ** 20;

const descriptionSchema = z.object({
  path: z.string(),
  sizeBytes: z.string().transform(BigInt),
  rows: z.string().transform(BigInt),
  schema: z.custom<JsonValue>((value) => value !== undefined).transform((value) => parseSchema(value)),
  sources: z.unknown().transform(statesFromJson),
  timesUs: timesJson.optional(),
});

/**
 * Stages the entity rows of a retrieval, which is checked against them first.
 * @param to the table that the training set will be, `[CATALOG/]NS.TABLE`; its namespace is created
 * @returns location of the description
 * @throws as retrieval for rows that do not fit it
 */
export async function stageEntities(
  deps: TrainingDeps,
  request: Omit<HistoricalRequest, 'entities'> & { readonly entities: EntitySource },
  to: string,
): Promise<string> {
  const { catalog, identifier } = await deps.resolveTarget(to);
  return await getHistoricalFrame(deps, request, async ({ connection, opened: { frame, sources }, schema: answer }) => {
    await ensureNamespace(catalog, identifier.namespace);
    const location = `${await catalog.newTableLocation(identifier)}/staged`;
    const namePrefix = `${NAME_PREFIX}${randomUUID()}`;
    const fields = answer.fields.slice(0, frame.columns.length);
    const columns = fields.map((_, index) => `c${index}`).join(', ');
    const rows = { select: `SELECT ${columns} FROM ${frame.table} ORDER BY r`, schema: { ...answer, fields } };
    const { select, schema } = await withMicroseconds(connection, rows, fields.length);
    const write = { select, schema, spec: UNPARTITIONED, namePrefix, keepEmpty: true };
    const [file] = await stageFiles(connection, deps.io, write, {
      folder: location,
      locationOf: (name) => `${location}/${name}`,
    });
    if (file === undefined) throw new MoraineError('INTERNAL', 'The entity rows were staged as no file.');
    const times = entityTimesUs([file], schema.fields);
    const description = {
      path: file.filePath,
      sizeBytes: String(file.fileSizeInBytes),
      rows: String(file.recordCount),
      schema: schemaToJson(schema) as CanonicalValue,
      sources: statesJson(new Map([...sources].map(([name, source]) => [name, stateOf(source)]))),
      ...(times === undefined ? {} : { timesUs: timesToJson(times) }),
    };
    const described = `${location}/${namePrefix}.json`;
    await deps.io.create(described, Buffer.from(canonicalJson(description)));
    return described;
  });
}

/** Reads a description. @throws INVALID_ARGUMENT for a location or a file that is none; FILE_NOT_FOUND */
export async function readStagedEntities(io: FileIO, location: string): Promise<StagedEntities> {
  if (!DESCRIPTION.test(location)) throw notStaged(location);
  const bytes = await io.read(location, { maxBytes: MAX_DESCRIPTION_BYTES });
  try {
    return descriptionSchema.parse(parseJson(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw notStaged(location, cause);
  }
}

function notStaged(location: string, cause?: unknown): MoraineError {
  const message = `${JSON.stringify(location)} describes no staged entity rows; give a table, or use the library or the command line.`;
  return new MoraineError('INVALID_ARGUMENT', message, { cause });
}

/** The staged rows on a connection. @throws FILE_NOT_FOUND, DATA_FILE_CORRUPT */
export async function openStagedEntities(
  io: FileIO,
  connection: Connection,
  { path: location, sizeBytes, rows, schema }: StagedEntities,
): Promise<EntityRelation> {
  const path = await openablePath(connection, io, location);
  const files = [{ path, recordCount: rows }];
  const layouts = await checkFiles(connection, [{ path, fileSizeInBytes: sizeBytes }]);
  return { relation: await readableScanSql(connection, { files, layouts, schema, naming: 'id' }), schema };
}

/** Deletes staged rows and their description, as far as they are there. */
export async function deleteStagedEntities(io: FileIO, location: string): Promise<void> {
  const { path } = await readStagedEntities(io, location);
  // Only what staging has named: a description may have been written by somebody else.
  if (basename(path).startsWith(basename(location, '.json'))) await io.delete(path);
  await io.delete(location);
}
