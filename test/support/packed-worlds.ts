/**
 * Random worlds side by side in one table, by a column that says whose a row is: their histories are one, their rows, entities and ties are
 * their own. For engines of which each question takes seconds, so that two hundred worlds are one question.
 */
import { randomUUID } from 'node:crypto';
import { type Catalog, ensureNamespace, type TableIdentifier } from '../../catalogs/index.js';
import type { Engine } from '../../engine/index.js';
import { currentSchema, type IcebergType, LAST_ADDED, type NestedField, type Schema } from '../../iceberg/index.js';
import { compactDirect } from '../../maintenance/index.js';
import { stageRows } from '../../staging/index.js';
import type { FileIO } from '../../storage/index.js';
import { changeSchema, commitAppend, loadTable, type Table } from '../../tables/index.js';
import { Random } from '../worlds/random.js';
import { compactDeps } from './compaction-lab.js';
import { deleteAsOthers } from './foreign-deletes.js';

export interface PackedLab {
  readonly io: FileIO;
  readonly catalog: Catalog;
  readonly engine: Engine;
}

/** Keys, and the type of times, of a table. */
export interface PackedShape {
  readonly key: 'long' | 'string' | 'decimal' | 'date' | 'uuid' | 'binary';
  readonly time: 'timestamp' | 'timestamptz';
}

const field = (id: number, name: string, type: IcebergType): NestedField => ({ id, name, required: false, type });
const KEY_TYPES: Readonly<Record<PackedShape['key'], IcebergType>> = {
  long: { kind: 'int' },
  string: { kind: 'string' },
  decimal: { kind: 'decimal', precision: 9, scale: 2 },
  date: { kind: 'date' },
  uuid: { kind: 'uuid' },
  binary: { kind: 'binary' },
};
/** SQL of one of a few entities, by a number. */
const KEY_VALUES: Readonly<Record<PackedShape['key'], (number: string) => string>> = {
  long: (n) => `(${n} - 3)::INTEGER`,
  string: (n) => `(['', 'a', 'A', ' a', 'a ', 'é', '1'])[${n} + 1]`,
  decimal: (n) => `((${n} - 3) / 4)::DECIMAL(9, 2)`,
  date: (n) => `DATE '1969-12-29' + (${n})::INTEGER`,
  uuid: (n) => `('00000000-0000-4000-8000-00000000000' || ${n})::UUID`,
  binary: (n) => `(['', '\\x00', '\\x00\\x00', 'a', '\\xFF', 'aa', 'A'])[${n} + 1]::BLOB`,
};
const KEYS = 7;
const START_US = -3_000_000n;

/** Kinds of steps, and how often each is drawn. */
const STEPS = [
  [5, 'append'],
  [3, 'delete'],
  [1.5, 'schema'],
  [1, 'spec'],
  [1, 'compact'],
] as const;
export type PackedStep = (typeof STEPS)[number][1];

/** Rows of a table of packed worlds. */
export class PackedWorlds {
  readonly identifier: TableIdentifier;
  readonly #lab: PackedLab;
  readonly #shape: PackedShape;
  readonly #worlds: number;
  readonly #random: Random;
  #batch = 0;
  /** Columns by their field ids, as places in the first schema: catalogs give ids of their own. */
  readonly #roles = new Map<number, number>();
  readonly steps: string[] = [];

  constructor(
    lab: PackedLab,
    name: string,
    shape: PackedShape,
    options: { readonly worlds: number; readonly seed: string },
  ) {
    this.identifier = { namespace: ['packed'], name };
    this.#lab = lab;
    this.#shape = shape;
    this.#worlds = options.worlds;
    this.#random = new Random(`${options.seed} ${shape.key}`);
  }

  async create(): Promise<void> {
    const { catalog } = this.#lab;
    const time: IcebergType = { kind: this.#shape.time };
    await ensureNamespace(catalog, this.identifier.namespace);
    const fields = [
      field(1, 'w', { kind: 'int' }),
      field(2, 'Entity Key', KEY_TYPES[this.#shape.key]),
      field(3, 'at', time),
      field(4, 'created', time),
      field(5, 'amount', { kind: 'float' }),
      field(6, 'label', { kind: 'string' }),
      field(7, 'many', { kind: 'list', elementId: 11, elementRequired: false, element: { kind: 'int' } }),
      field(8, 'inner', {
        kind: 'struct',
        fields: [field(12, 'a', { kind: 'int' }), field(13, 'B b', { kind: 'string' })],
      }),
      field(9, 'count', { kind: 'int' }),
      field(10, 'bits', { kind: 'binary' }),
    ];
    const schema: Schema = { schemaId: 0, identifierFieldIds: [], fields };
    const made = await catalog.createTable(this.identifier, { schema, formatVersion: 2 });
    for (const [index, { id }] of currentSchema(made.metadata).fields.entries()) this.#roles.set(id, index + 1);
  }

  table(): Promise<Table> {
    return loadTable(this.#lab.catalog, this.#lab.io, this.identifier);
  }

  /** A step of the tables' history, of a kind or of any. */
  async step(kind?: PackedStep): Promise<void> {
    const work: Readonly<Record<PackedStep, () => Promise<string>>> = {
      append: () => this.append(),
      delete: () => this.#delete(),
      schema: () => this.#evolveSchema(),
      spec: () => this.#evolveSpec(),
      compact: () => this.#compact(),
    };
    const drawn = kind ?? this.#random.weighted(STEPS);
    this.steps.push(await work[drawn]());
  }

  /** Some rows of every world, at few moments. */
  async append(rowsOfEach = 12): Promise<string> {
    const table = await this.table();
    const schema = currentSchema(table.metadata);
    const seed = this.#random.int(0, 1_000_000) + this.#batch++;
    const draw = (salt: number, below: number): string => `(hash(i, ${seed}, ${salt}) % ${below})::BIGINT`;
    const nullOr = (salt: number, value: string): string => `CASE WHEN ${draw(salt, 9)} > 0 THEN ${value} END`;
    const moment = (salt: number): string => {
      const us = `(${START_US} + ${draw(salt, 6)}::BIGINT * 1000000 + ${draw(salt + 50, 2)}::BIGINT)`;
      return this.#shape.time === 'timestamptz' ? `make_timestamptz(${us})` : `make_timestamp(${us})`;
    };
    const values = new Map<number, string>([
      [1, `i::INTEGER % ${this.#worlds}`],
      [2, nullOr(1, KEY_VALUES[this.#shape.key](draw(2, KEYS)))],
      [3, nullOr(3, moment(4))],
      [4, nullOr(5, moment(6))],
      [5, nullOr(7, `(['NaN', '-0.0', '0.0', '1.5', '-Infinity', '0.1'])[${draw(8, 6)} + 1]::FLOAT`)],
      [6, nullOr(9, `(['', 'z', 'Z', 'é', '🙂', 'zz'])[${draw(10, 6)} + 1]`)],
      [7, nullOr(11, `([[1, NULL], [], [1], [NULL], [2]])[${draw(12, 5)} + 1]`)],
      [9, nullOr(13, `${draw(14, 5)}::INTEGER - 2`)],
      [10, nullOr(15, `(['\\x00\\x01', 'ab'])[${draw(16, 2)} + 1]::BLOB`)],
    ]);
    const valueOf = ({ id: fieldId, type }: NestedField): string => {
      const id = this.#roles.get(fieldId) ?? fieldId + 100;
      if (id === 8 && type.kind === 'struct') {
        const members = type.fields.map((inner) => `${quote(inner.name)} := ${this.#innerValue(inner, draw)}`);
        return nullOr(17, `struct_pack(${members.join(', ')})`);
      }
      // Columns that were added.
      return values.get(id) ?? nullOr(id, `${draw(id + 100, 4)}::BIGINT`);
    };
    const rows = `(SELECT i FROM range(${rowsOfEach * this.#worlds}) AS r(i))`;
    const select = `SELECT ${schema.fields.map((each) => `${valueOf(each)} AS ${quote(each.name)}`).join(', ')} FROM ${rows}`;
    await this.#lab.engine.withConnection(async (connection) => {
      const files = await stageRows(connection, table, { select, namePrefix: randomUUID() });
      await commitAppend(table, { files });
    });
    return `append ${rowsOfEach} of each`;
  }

  /** Rows that tie may win in another order afterwards: engines are compared in the same state. */
  async #compact(): Promise<string> {
    const { namespace, name } = this.identifier;
    const table = `${namespace.join('.')}.${name}`;
    const { filesRemoved } = await compactDirect(compactDeps(this.#lab), {
      table,
      strategy: 'binpack',
      allowTieChange: true,
    });
    return `compact ${filesRemoved} files`;
  }

  #innerValue({ id, type }: NestedField, draw: (salt: number, below: number) => string): string {
    return type.kind === 'string' ? `chr(97 + ${draw(id, 3)}::INTEGER)` : `${draw(id, 3)}::INTEGER`;
  }

  async #delete(): Promise<string> {
    const { fields } = currentSchema((await this.table()).metadata);
    const name = (role: number): string => fields.find(({ id }) => this.#roles.get(id) === role)?.name ?? '';
    const values = this.#random.pick([
      new Map([[name(9), this.#random.pick(['-1', '0', 'NULL'])]]),
      new Map([
        [name(6), this.#random.pick([`'z'`, 'NULL', `'é'`])],
        [name(9), '1'],
      ]),
      new Map([[name(2), KEY_VALUES[this.#shape.key](String(this.#random.int(0, KEYS - 1)))]]),
    ]);
    const by = await deleteAsOthers(this.#lab as never, this.identifier, this.#random, values);
    return `delete ${[...values].join(' and ')}: ${by}`;
  }

  /** Names, order, types and members change, as far as format version 2 has it. */
  async #evolveSchema(): Promise<string> {
    const { metadata } = await this.table();
    const schema = currentSchema(metadata);
    const newId = metadata.lastColumnId + 1;
    const [fields, what] = this.#random.pick<() => readonly [readonly NestedField[], string]>([
      () => [
        renamed(schema.fields, this.idOf(this.#random.pick([5, 6, 8, 9])), `renamed in step ${this.steps.length}`),
        'rename',
      ],
      () => [[...schema.fields, field(newId, `added ${newId}`, { kind: 'long' })], 'add'],
      () => [this.#random.shuffle(schema.fields), 'reorder'],
      () => [this.#promoted(schema.fields), 'promote'],
      () => [withMember(schema.fields, newId, this.idOf(8)), 'add a member'],
    ])();
    await this.#lab.catalog.commitTable(this.identifier, changeSchema(metadata, { ...schema, fields }));
    return `schema: ${what}`;
  }

  #promoted(fields: readonly NestedField[]): readonly NestedField[] {
    return fields.map((each) => {
      const role = this.#roles.get(each.id);
      if (role === 9) return { ...each, type: { kind: 'long' } };
      if (role === 5) return { ...each, type: { kind: 'double' } };
      if (role === 2 && each.type.kind === 'int') return { ...each, type: { kind: 'long' } };
      if (role === 2 && each.type.kind === 'decimal') return { ...each, type: { ...each.type, precision: 12 } };
      return each;
    });
  }

  /** The field id of a column, by its place in the first schema. */
  idOf(role: number): number {
    return [...this.#roles].find(([, place]) => place === role)?.[0] ?? 0;
  }

  async #evolveSpec(): Promise<string> {
    const { metadata } = await this.table();
    const [role, transform] = this.#random.pick([
      [1, { kind: 'bucket', numBuckets: 3 }],
      [3, { kind: 'day' }],
      [1, { kind: 'identity' }],
    ] as const);
    const specId = Math.max(...metadata.partitionSpecs.map((spec) => spec.specId)) + 1;
    const name = `p${metadata.lastPartitionId + 1}`;
    await this.#lab.catalog.commitTable(this.identifier, {
      requirements: [{ type: 'assert-table-uuid', uuid: metadata.tableUuid }],
      updates: [
        {
          action: 'add-spec',
          spec: {
            specId,
            fields: [{ sourceId: this.idOf(role), fieldId: metadata.lastPartitionId + 1, name, transform }],
          },
        },
        { action: 'set-default-spec', specId: LAST_ADDED },
      ],
    });
    return `spec: ${transform.kind}`;
  }
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const renamed = (fields: readonly NestedField[], id: number, name: string): readonly NestedField[] =>
  fields.map((each) => (each.id === id ? { ...each, name } : each));

function withMember(fields: readonly NestedField[], id: number, inner: number): readonly NestedField[] {
  return fields.map((each) =>
    each.id === inner && each.type.kind === 'struct'
      ? { ...each, type: { ...each.type, fields: [field(id, `m${id}`, { kind: 'int' }), ...each.type.fields] } }
      : each,
  );
}
