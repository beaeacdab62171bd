/** Sinks that upsert into a small table, their dead letters and replays of them. */
import { type Engine, readableScanSql } from '../../engine/index.js';
import { currentSchema, currentSnapshot, type JsonValue, parseSchema } from '../../iceberg/index.js';
import { compactDirect } from '../../maintenance/index.js';
import { fileToOpen, openFiles } from '../../scans/index.js';
import {
  jsonRecords,
  type RecordMapping,
  type ReplayRequest,
  recordLines,
  replayDeadLetters,
  type SinkOptions,
} from '../../sink/index.js';
import { stageRows } from '../../staging/index.js';
import { commitAppend, planFiles } from '../../tables/index.js';
import { compactDeps } from './compaction-lab.js';
import { SinkWorld } from './sink-world.js';
import { IDENTIFIER } from './table-fixture.js';

/** A row of the table, but for `deleted`. */
export type Row = readonly [key: string, part: number, at: number | null, v: string];

const FIELDS: readonly JsonValue[] = [
  { id: 7, name: 'v', required: false, type: 'string' },
  { id: 2, name: 'key', required: true, type: 'string' },
  { id: 9, name: 'at', required: false, type: 'double' },
  { id: 4, name: 'part', required: true, type: 'int' },
  { id: 11, name: 'deleted', required: false, type: 'boolean' },
];
export const UPSERT = { key: ['key'], order: 'at' };

/** A table of an upsert's rows, without any. */
export async function upsertWorld(engine: Engine, formatVersion: 2 | 3 = 2): Promise<SinkWorld> {
  const schema = parseSchema({ type: 'struct', 'schema-id': 0, fields: FIELDS });
  const part = schema.fields.find(({ name }) => name === 'part')?.id ?? 0;
  const fields = [{ sourceId: part, fieldId: 1000, name: 'part', transform: { kind: 'identity' } as const }];
  return await SinkWorld.open(engine, { schema, partitionSpec: { specId: 0, fields }, formatVersion });
}

/** A sink that upserts. */
export const openUpsert = (lab: SinkWorld, options: Partial<SinkOptions> = {}) =>
  lab.sink({ upsert: UPSERT, ...options });

/** Records without positions. */
export function json(...rows: readonly Row[]) {
  const bytes = Buffer.from(rows.map(([key, part, at, v]) => `${JSON.stringify({ key, part, at, v })}\n`).join(''));
  return jsonRecords(
    { bytes, count: rows.length, source: 'a', partition: undefined, from: 0n },
    { badRecords: 'drop' },
  );
}

/** Live rows, sorted. */
export const rowsOf = (lab: SinkWorld): Promise<readonly Row[]> => selected(lab, 'true');
/** Those whose key is not deleted. */
export const remainingRows = (lab: SinkWorld): Promise<readonly Row[]> => selected(lab, '"deleted" IS NOT TRUE');

async function selected(lab: SinkWorld, where: string): Promise<readonly Row[]> {
  const table = await lab.load();
  const [snapshot, schema] = [currentSnapshot(table.metadata), currentSchema(table.metadata)];
  const { files } = await planFiles(table, { snapshot, schema, appliesDeletes: true });
  if (files.length === 0) return [];
  return await lab.engine.withConnection(async (connection) => {
    const scan = await openFiles(connection, table, files.map(fileToOpen));
    const sql = await readableScanSql(connection, { ...scan, schema });
    const select = `SELECT "key", "part", "at", "v" FROM ${sql} WHERE ${where} ORDER BY ALL`;
    return (await connection.rows(select)) as unknown as Row[];
  });
}

/** Appends rows as a writer that knows nothing of keys. */
export async function append(lab: SinkWorld, ...rows: readonly Row[]): Promise<void> {
  const table = await lab.load();
  const values = rows
    .map(([key, part, at, v]) => `('${v}', '${key}', ${at ?? 'NULL'}::DOUBLE, ${part}::INTEGER, NULL::BOOLEAN)`)
    .join(', ');
  const files = await lab.engine.withConnection((connection) =>
    stageRows(connection, table, { select: `SELECT * FROM (VALUES ${values})`, namePrefix: `x-${Math.random()}` }),
  );
  await commitAppend(table, { files });
}

/** The dead letters of {@link stream}. */
export const DEAD = { namespace: ['ns'], name: 'dead' };
/** What makes a record a dead letter that any replay takes, and one that only a replay with `LATE_MEND` takes. */
export const [BAD, WORSE] = [{ x: 1 }, { at: 'five' }];
/** Mends them. */
export const LATE_MEND: RecordMapping = {
  transform: (record) => Buffer.from(record).toString().replace('"five"', '5'),
};

/** A record as a source has it, with fields beside those of the row, or in their places. */
export type SourceRecord = readonly [...row: Row, more?: Readonly<Record<string, JsonValue>>];

/** Records of a source at the positions from `from`, and their range. */
function listed(from: number, ...records: readonly SourceRecord[]) {
  const values = records.map(([key, part, at, v, more], index) => {
    return { offset: BigInt(from + index), value: Buffer.from(JSON.stringify({ key, part, at, v, ...more })) };
  });
  const range = { partition: 'p', from: BigInt(from), to: BigInt(from + records.length) };
  return [jsonRecords(recordLines(values, 'p', 'p'), { badRecords: 'drop' }), range] as const;
}

/** Commits batches of a source, the first at position 0. */
export const stream = (lab: SinkWorld, ...batches: readonly (readonly SourceRecord[])[]): Promise<void> =>
  streamOf(lab, {}, ...batches);

/** The same, of another sink. */
export async function streamOf(
  lab: SinkWorld,
  options: Partial<SinkOptions>,
  ...batches: readonly (readonly SourceRecord[])[]
): Promise<void> {
  const sink = await openUpsert(lab, { deadLetters: DEAD, ...options });
  for (const batch of batches) {
    await sink.writer(0).writeBatch(...listed(Number(sink.positions.get('p') ?? 0n), ...batch));
    await sink.flush();
  }
  await sink.close();
}

/** Of each batch of a replay the rows, those that lost, and those that are bad still. */
export async function replay(
  { catalog, engine, fixture: { io } }: SinkWorld,
  mapping: RecordMapping = {},
  options: Partial<ReplayRequest> = {},
): Promise<readonly (readonly [rows: bigint, superseded: bigint, left: number])[]> {
  const batches: (readonly [bigint, bigint, number])[] = [];
  const records = (letters: readonly Uint8Array[]) => {
    const values = letters.map((value, index) => ({ offset: BigInt(index), value }));
    return jsonRecords(recordLines(values, 'd', 'd'), { badRecords: 'drop', extraFields: 'ignore', ...mapping });
  };
  const onBatch: ReplayRequest['onBatch'] = ({ rows, superseded, rejected }) =>
    batches.push([rows, superseded, rejected.length]);
  const request = { deadLetters: DEAD, table: IDENTIFIER, records, upsert: UPSERT, onBatch, ...options };
  await replayDeadLetters({ catalog, io, engine }, request);
  return batches;
}

/** Compacts the table. */
export const compact = ({ catalog, engine, fixture: { io } }: SinkWorld) =>
  compactDirect(compactDeps({ catalog, io, engine }), { table: 'ns.t', strategy: 'binpack' });
