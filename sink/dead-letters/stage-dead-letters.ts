/** Records that became no rows, as files of the dead-letter table that no snapshot lists yet. */
import { createHash, randomUUID } from 'node:crypto';
import { formatTableName } from '../../catalogs/index.js';
import { type Engine, loadRows, sqlType } from '../../engine/index.js';
import { currentSchema, currentSnapshot, type ManifestFile, type PrimitiveValue } from '../../iceberg/index.js';
import type { Location } from '../../locations/index.js';
import { stageRows } from '../../staging/index.js';
import type { Table } from '../../tables/index.js';
import { stageListed } from '../batches/stage-listed.js';
import type { RejectedRecord } from '../sink-records.js';
import type { DeadLetterColumn } from './dead-letter-table.js';

/** Records that a batch leaves out. */
export interface DeadLetters {
  readonly sink: string;
  /** The table that they were for, as it was when their batch was staged. */
  readonly table: Table;
  readonly batchId: string;
  readonly rejected: readonly RejectedRecord[];
  readonly rejectedAtMs: number;
}

const MICROSECONDS = 1_000n;

/**
 * Stages dead letters. On failure nothing of them remains.
 * @returns their manifest, and the locations of all files
 * @param namePrefix what the names of the files begin with
 */
export async function stageDeadLetters(
  engine: Engine,
  deadLetterTable: Table,
  letters: DeadLetters,
  namePrefix: string,
): Promise<{ readonly manifest: ManifestFile; readonly files: readonly Location[] }> {
  const schema = currentSchema(deadLetterTable.metadata);
  const name = `moraine_dead_letters_${randomUUID().replaceAll('-', '_')}`;
  const files = await engine.withConnection(async (connection) => {
    const types = schema.fields.map(({ type }) => type);
    const rows = letters.rejected.map((record) => {
      const values: ReadonlyMap<string, PrimitiveValue | null> = new Map(Object.entries(rowOf(letters, record)));
      return schema.fields.map((field) => values.get(field.name) ?? null);
    });
    try {
      await loadRows(connection, name, types, rows);
      const columns = types.map((type, index) => `CAST(c${index} AS ${sqlType(type)})`).join(', ');
      return await stageRows(connection, deadLetterTable, { select: `SELECT ${columns} FROM ${name}`, namePrefix });
    } finally {
      await connection.run(`DROP TABLE IF EXISTS ${name}`);
    }
  });
  return await stageListed(deadLetterTable, files, namePrefix);
}

function rowOf(
  { sink, table, batchId, rejectedAtMs }: DeadLetters,
  record: RejectedRecord,
): Readonly<Record<DeadLetterColumn, PrimitiveValue | null>> {
  const { metadata, identifier } = table;
  const { position, reason, message, raw } = record;
  return {
    id: idOf(metadata.tableUuid, sink, record),
    table_uuid: metadata.tableUuid,
    table: formatTableName(identifier),
    ...{ sink, batch: batchId, source: position?.partition ?? null, position: position?.offset ?? null },
    ...{ reason, message, raw, schema_id: metadata.currentSchemaId },
    base_sequence: currentSnapshot(metadata)?.sequenceNumber ?? 0n,
    rejected_at: BigInt(rejectedAtMs) * MICROSECONDS,
    ...{ replayed_at: null, replayed_sequence: null, replayed_key: null },
  };
}

/** The same for the same record at the same place of a source: a batch that was rolled back is read again. */
function idOf(tableUuid: string, sink: string, { position, raw }: RejectedRecord): string {
  if (position === null) return randomUUID();
  const place = JSON.stringify([tableUuid, sink, position.partition, position.offset.toString()]);
  return createHash('sha256').update(place).update('\n').update(raw).digest('hex').slice(0, 32);
}
