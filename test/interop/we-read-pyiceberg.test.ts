/** Moraine reads tables that PyIceberg wrote into the same SQLite catalog, through the command line and no configuration. */
import { isLosslessNumber, parse } from 'lossless-json';
import { expect, it } from 'vitest';
import { openSqlCatalog, parseTableName } from '../../catalogs/index.js';
import { LocalFileIO } from '../../storage/index.js';
import { moraineOk } from '../support/cli.js';
import { describeInterop, python } from '../support/python.js';
import { temporaryFolder } from '../support/temp-folder.js';

interface Case {
  readonly table: string;
  /** Of the metadata, for a table that no catalog has. */
  readonly location?: string;
  readonly rows: readonly unknown[];
  readonly tag?: string;
  readonly tag_rows?: readonly unknown[];
}

/** Numbers that a double does not hold stay text, as in the expected rows. */
function plain(value: unknown): unknown {
  if (isLosslessNumber(value)) {
    const number = Number(value.value);
    return Number.isInteger(number) && !Number.isSafeInteger(number) ? value.value : exactDecimal(value.value, number);
  }
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
}

function exactDecimal(text: string, number: number): unknown {
  return text.replace(/^-?0*/, '').replace('.', '').length > 15 ? text : number;
}

const sorted = (rows: readonly unknown[]): string[] => rows.map((row) => JSON.stringify(row)).sort();

async function scan(location: string, ...args: string[]): Promise<string[]> {
  const text = await moraineOk(['table', 'scan', location, '--format', 'jsonl', ...args]);
  const lines = text.split('\n').filter((line) => line !== '');
  return sorted(lines.map((line) => plain(parse(line))));
}

describeInterop('Moraine reads what PyIceberg wrote', () => {
  it('types, partitions, evolved schemas and specs, copy-on-write deletes, version 1 and its early forms, version 3, empty tables, tags', async () => {
    const folder = temporaryFolder();
    const [uri, warehouse] = [`sqlite:///${folder}/catalog.db`, `${folder}/warehouse`];
    const { cases } = await python<{ cases: Case[] }>('write_theirs.py', uri, warehouse);
    const io = new LocalFileIO({ roots: [warehouse] });
    const catalog = await openSqlCatalog({ name: 'local', uri, warehouse, io });
    for (const one of cases) {
      const metadataLocation =
        one.location ?? (await catalog.loadTable(parseTableName(one.table).identifier)).metadataLocation;
      expect(await scan(metadataLocation), one.table).toEqual(sorted(one.rows));
      if (one.tag !== undefined) {
        expect(await scan(metadataLocation, '--ref', one.tag), `${one.table} at ${one.tag}`).toEqual(
          sorted(one.tag_rows ?? []),
        );
      }
    }
    await catalog.close();
    expect(cases.map((one) => one.table)).toHaveLength(10);
  });
});
