/** The table of saved datasets: one row for each. A dataset is saved when its row is committed. */
import { randomUUID } from 'node:crypto';
import type { Catalog, TableIdentifier } from '../../catalogs/index.js';
import { type Engine, quoteLiteral, readableScanSql, sqlLiteral } from '../../engine/index.js';
import { didYouMean, MoraineError } from '../../errors/index.js';
import { type PrimitiveType, type PrimitiveValue, type Schema } from '../../iceberg/index.js';
import { openScan, planSource } from '../../scans/index.js';
import { stageRows } from '../../staging/index.js';
import type { FileIO } from '../../storage/index.js';
import { commitAppend, retryConflicts, type Table } from '../../tables/index.js';
import { ensureSystemTable, loadSystemTable } from '../registry/system-table.js';
import { type DatasetRecord, recordFromJson, recordToJson } from './dataset-record.js';

/** Dependencies of the table of datasets. */
export interface DatasetRegistryDeps {
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly engine: Engine;
  readonly table: TableIdentifier;
  /** Now, in microseconds since the epoch. */
  readonly nowUs?: () => bigint;
}

/** A dataset and when it was saved. */
export interface SavedDataset {
  readonly record: DatasetRecord;
  /** Microseconds since the epoch. */
  readonly savedAtUs: bigint;
}

const STRING = { kind: 'string' } as const;
const DATASETS_SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    { id: 1, name: 'name', required: true, type: STRING },
    { id: 2, name: 'saved_at', required: true, type: { kind: 'timestamptz' } },
    { id: 3, name: 'rows', required: true, type: { kind: 'long' } },
    { id: 4, name: 'digest', required: true, type: STRING, doc: 'of the rows, by their values alone' },
    { id: 5, name: 'definition_hash', required: true, type: STRING, doc: 'SHA-256 of the definitions used' },
    { id: 6, name: 'record', required: true, type: STRING, doc: 'JSON: what computes the dataset again' },
  ],
};

/** Reads and adds to the table of datasets. */
export class DatasetRegistry {
  readonly #deps: DatasetRegistryDeps;

  constructor(deps: DatasetRegistryDeps) {
    this.#deps = deps;
  }

  /** Every dataset, by name. */
  async list(): Promise<readonly SavedDataset[]> {
    const table = await loadSystemTable(this.#deps);
    return table === null ? [] : await this.#read(table);
  }

  /** @throws DATASET_NOT_FOUND with the nearest names */
  async get(name: string): Promise<SavedDataset> {
    const all = await this.list();
    const found = all.find(({ record }) => record.name === name);
    if (found !== undefined) return found;
    const hint = didYouMean(
      name,
      all.map(({ record }) => record.name),
    );
    throw new MoraineError('DATASET_NOT_FOUND', `There is no dataset '${name}'. ${hint}`);
  }

  /** A dataset by its name, if there is one. */
  async find(name: string): Promise<SavedDataset | undefined> {
    return (await this.list()).find(({ record }) => record.name === name);
  }

  /** @throws DATASET_ALREADY_EXISTS */
  async refuseTaken(name: string): Promise<void> {
    if ((await this.find(name)) !== undefined) throw taken(name);
  }

  /**
   * Adds a dataset in one commit. One that is there with the same record, from an attempt before, stays as it is.
   * @throws DATASET_ALREADY_EXISTS, COMMIT_STATE_UNKNOWN, COMMIT_CONFLICT (too many others)
   */
  async add(record: DatasetRecord): Promise<void> {
    await retryConflicts(this.#deps.catalog, async () => {
      const table = await ensureSystemTable(this.#deps, DATASETS_SCHEMA);
      const saved = (await this.#read(table)).find((each) => each.record.name === record.name);
      if (saved !== undefined) {
        if (recordToJson(saved.record) === recordToJson(record)) return;
        throw taken(record.name);
      }
      await this.#append(table, record);
    });
  }

  async #append(table: Table, record: DatasetRecord): Promise<void> {
    const { engine, nowUs } = this.#deps;
    const now = nowUs?.() ?? BigInt(Date.now()) * 1000n;
    const values = [record.name, now, record.rows, record.digest, record.definitionHash, recordToJson(record)];
    const select = `SELECT ${DATASETS_SCHEMA.fields.map(({ type }, index) => literal(type as PrimitiveType, values[index])).join(', ')}`;
    const namePrefix = randomUUID();
    const files = await engine.withConnection((connection) =>
      stageRows(connection, table, { select, schema: DATASETS_SCHEMA, namePrefix }),
    );
    const { currentSnapshotId } = table.metadata;
    await commitAppend(table, {
      files,
      run: { key: `dataset-${namePrefix}` },
      validate: (base) => {
        if (base.currentSnapshotId === currentSnapshotId) return;
        throw new MoraineError('COMMIT_CONFLICT', 'Another dataset was saved.');
      },
    });
  }

  async #read(table: Table): Promise<readonly SavedDataset[]> {
    const { engine } = this.#deps;
    const snapshot =
      table.metadata.snapshots.find((each) => each.snapshotId === table.metadata.currentSnapshotId) ?? null;
    const source = { table, snapshot, schema: DATASETS_SCHEMA };
    const plan = await planSource(source);
    return await engine.withConnection(async (connection) => {
      const { scan } = await openScan(connection, source, plan);
      const relation = await readableScanSql(connection, { ...scan, schema: DATASETS_SCHEMA });
      const rows = await connection.rows(`SELECT record, epoch_us(saved_at) FROM ${relation} ORDER BY name`);
      return rows.map(([record, savedAtUs]) => ({
        record: recordFromJson(String(record)),
        savedAtUs: savedAtUs as bigint,
      }));
    });
  }
}

const taken = (name: string): MoraineError =>
  new MoraineError('DATASET_ALREADY_EXISTS', `Dataset '${name}' was saved before; choose another name.`);

function literal(type: PrimitiveType, value: PrimitiveValue | undefined): string {
  return typeof value === 'string' ? quoteLiteral(value) : sqlLiteral(type, value ?? 0);
}
