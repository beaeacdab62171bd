/** A random source of one view: rows of few entities at few moments, in a table that is changed in every way but its schema. */
import type { DuckDBConnection } from '@duckdb/node-api';
import type { NestedField, Schema } from '../../iceberg/index.js';
import { Clock, FieldIds, type Role } from './columns.js';
import type { OracleRow } from './oracle.js';
import type { Random } from './random.js';
import { fieldValue, type LiveRow, type Row } from './rows.js';
import { DeletingHistory } from './table-deletes.js';
import type { PlainValue, Value } from './values.js';

/** Event times are whole seconds from 0 to below this. */
export const MOMENTS = 6;
/** Entities of a source. */
export const KEYS = { long: [0n, 1n, 2n, 3n, 4n, 5n, 6n, -7n], string: ['a', 'b', 'A', '', '\u00e9', '1', '01', ' 1'] };

const US = 1_000_000n;
const column = (id: number, name: string, kind: 'long' | 'string' | 'timestamptz'): NestedField => {
  return { id, name, required: false, type: { kind } };
};

export class SourceHistory extends DeletingHistory {
  readonly keyKind: keyof typeof KEYS;
  #serial = 0n;

  constructor(random: Random, duckdb: DuckDBConnection, location: string) {
    const keyKind = random.pick(['long', 'string'] as const);
    const fields = [
      column(1, 'k', keyKind),
      column(2, 'event_ts', 'timestamptz'),
      column(3, 'created', 'timestamptz'),
      column(4, 'v', 'long'),
    ];
    const schema: Schema = { schemaId: 0, identifierFieldIds: [], fields: random.shuffle(fields) };
    const formatVersion = random.chance(0.5) ? 3 : 2;
    const roles = new Map<number, Role>();
    super(random, duckdb, new Clock(random), { location, formatVersion, schema, roles, ids: new FieldIds() });
    this.keyKind = keyKind;
  }

  /** Anything that may happen to the table. */
  async change(): Promise<void> {
    const steps: readonly (readonly [number, () => void | Promise<void>])[] = [
      [4, () => this.append(this.random.int(1, 6))],
      [4, () => this.deletePositions()],
      [4, () => this.deleteEqual()],
      [1.5, () => this.copyOnWrite()],
      [1.5, () => this.compact()],
      [0.5, () => this.evolveSpec()],
      [0.5, () => this.upgrade()],
    ];
    await this.random.weighted(steps)();
  }

  /** Created one after the other, so that no two rows tie. */
  protected override newRows(count: number): Row[] {
    return Array.from({ length: count }, (): Row => {
      const unknown = (value: Value): Value => (this.random.chance(0.05) ? null : value);
      this.#serial += 1n;
      const values: [number, Value][] = [
        [1, unknown(this.random.pick<bigint | string>(KEYS[this.keyKind]))],
        [2, unknown(BigInt(this.random.int(0, MOMENTS - 1)) * US)],
        [3, this.#serial * US],
        [4, unknown(BigInt(this.random.int(0, 9)))],
      ];
      return { values: new Map(values) };
    });
  }
}

/** A row as the view has it. */
export function sourceRow({ row, sequence }: LiveRow): OracleRow {
  const value = (id: number): PlainValue => fieldValue(row.values, column(id, '', 'long')) as PlainValue;
  const timeNs = (id: number): bigint | null => (value(id) === null ? null : (value(id) as bigint) * 1000n);
  return { key: [value(1)], timeNs: timeNs(2), createdNs: timeNs(3), sequence, features: [value(4)] };
}
