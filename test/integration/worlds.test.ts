/**
 * The tables of the random worlds as other engines read them: what writes those tables, delete files included, is judged by
 * readers that are not ours. PyIceberg applies position deletes and deletion vectors; DuckDB's extension equality deletes, but not
 * their rule for rows of the same commit, and it fails over nulls in them (1.5.5); Spark 4.0 agreed on all of it when it was asked.
 * Neither reads Avro data files, nor snapshots that list their manifests themselves.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import { expect, inject, test } from 'vitest';
import { projectRoot } from '../support/paths.js';
import { describeInterop } from '../support/python.js';
import { pythonEnvironment } from '../support/python-environment.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { printed } from '../worlds/printed.js';
import { fieldValue, plain } from '../worlds/rows.js';
import { makeWorld, type WorldTable } from '../worlds/world.js';

const run = promisify(execFile);
const WORLDS = 40;

type Read = { readonly rows: readonly unknown[] } | { readonly error: string };

async function readAll(interpreter: string, reader: string, tables: readonly WorldTable[]): Promise<readonly Read[]> {
  const program = join(projectRoot, 'test/interop/programs/read_worlds.py');
  const args = ['-W', 'ignore', program, reader, ...tables.map(({ location }) => location)];
  const { stdout } = await run(interpreter, args, { maxBuffer: 1 << 28 });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '[]') as Read[];
}

/** The rows that a table has now, as `read_worlds.py` prints them. */
function rowsOf({ history, schema }: WorldTable): readonly string[] {
  const rows = history.rows.map(({ row }) =>
    schema.fields.map((field) => printed(plain(fieldValue(row.values, field), field.type), field.type)),
  );
  return rows.map((row) => JSON.stringify(row)).sort();
}

const UUID = /"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"/g;

/** A row that was read; DuckDB gives the text of a uuid, PyIceberg its bytes. */
const textOf = (row: unknown): string => JSON.stringify(row).replaceAll(UUID, (uuid) => uuid.replaceAll('-', ''));

const did = (table: WorldTable, step: RegExp): boolean => table.history.steps.some((one) => step.test(one));

describeInterop('tables of random worlds', () => {
  test('PyIceberg and DuckDB read the rows that they have', { timeout: 300_000 }, async () => {
    const duckdb = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
    const folder = temporaryFolder();
    const tables: WorldTable[] = [];
    for (let index = 0; index < WORLDS; index++) {
      tables.push(
        ...(
          await makeWorld(`interop/${index}`, join(folder, `${index}`), duckdb, {
            deletes: true,
            varied: true,
            avro: false,
          })
        ).tables,
      );
    }
    const compared = {
      plain: 0,
      positions: 0,
      vectors: 0,
      equality: 0,
      version1: 0,
      unknown: 0,
      imported: 0,
      identity: 0,
    };
    const compare = (table: WorldTable, read: Read, refusals: RegExp): void => {
      const name = `${table.location}\n${table.history.steps.join('\n')}`;
      if ('error' in read) {
        expect(read.error, name).toMatch(refusals);
        return;
      }
      expect(read.rows.map(textOf).sort(), name).toEqual(rowsOf(table));
      compared.plain += did(table, /^delete/) ? 0 : 1;
      compared.positions += did(table, /^delete positions/) ? 1 : 0;
      compared.vectors += did(table, /^delete vectors/) ? 1 : 0;
      compared.equality += did(table, /^delete equal/) ? 1 : 0;
      const { writer, states } = table.history;
      const files = states.at(-1)?.files ?? [];
      compared.version1 += writer.formatVersion === 1 ? 1 : 0;
      compared.unknown += writer.specs.some(({ fields }) => fields.some((f) => f.transform.kind === 'unknown')) ? 1 : 0;
      compared.imported += files.some(({ form }) => form === 'imported') ? 1 : 0;
      compared.identity += files.some(({ leavesIdentity }) => leavesIdentity) ? 1 : 0;
    };
    const byPyIceberg = await readAll(inject('python') ?? '', 'pyiceberg', tables);
    for (const [index, read] of byPyIceberg.entries()) {
      compare(
        tables[index] as WorldTable,
        read,
        /support equality deletes|timestamp-nanos|manifest-list\n *Field required/,
      );
    }
    const judgeable = tables.filter(
      (table) => did(table, /^delete equal/) && !did(table, /^delete equal .*append [1-9]/),
    );
    const environment = pythonEnvironment(join(projectRoot, 'test/interop/requirements-duckdb.txt'));
    for (const [index, read] of (await readAll(environment, 'duckdb', judgeable)).entries()) {
      compare(judgeable[index] as WorldTable, read, /timestamptz_ns|Comparison on NULL values|Unrecognized transform/);
    }
    expect(
      Object.values(compared).every((count) => count >= 3),
      JSON.stringify(compared),
    ).toBe(true);
  });
});
