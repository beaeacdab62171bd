/**
 * Tables that Apache Spark wrote, compacted: of every format version, with delete files of all kinds, several partition specs, evolved schemas,
 * imported, Avro and LZ4 files. PyIceberg, which cannot read equality deletes and Avro files, reads of each what Spark read before.
 */
import { expect, inject, onTestFinished, test } from 'vitest';
import { openSqlCatalog } from '../../catalogs/index.js';
import { openEngine } from '../../engine/index.js';
import { currentSchema, isPrimitive } from '../../iceberg/index.js';
import { type CompactRequest, compactDirect } from '../../maintenance/index.js';
import { LocalFileIO } from '../../storage/index.js';
import { commitUpdates, loadTable, type Table } from '../../tables/index.js';
import { type CompactionLab, compactDeps, filesOf, liveRows } from '../support/compaction-lab.js';
import { describeInterop } from '../support/python.js';
import { judge, READABLE_SPARK_TABLES, readTables } from '../support/spark-readers.js';
import { sparkMetadata, unpackSparkTables } from '../support/spark-tables.js';
import { temporaryFolder } from '../support/temp-folder.js';

const IDENTIFIER = (name: string) => ({ namespace: ['demo'], name });

async function openLab() {
  const folder = temporaryFolder();
  const roots = [folder, unpackSparkTables()];
  const io = new LocalFileIO({ roots });
  const catalog = await openSqlCatalog({ name: 'local', uri: `${folder}/catalog.db`, warehouse: folder, io });
  const engine = await openEngine({
    memoryLimitBytes: 512 * 2 ** 20,
    threads: 2,
    tempDirectory: `${folder}/tmp`,
    allowedDirectories: roots,
  });
  onTestFinished(async () => {
    await engine.close();
    await catalog.close();
  });
  await catalog.createNamespace(['demo']);
  return { folder, io, catalog, engine };
}

type Lab = Awaited<ReturnType<typeof openLab>>;

/** A table under a name of the lab's catalog; what is written from now on goes into the lab's folder. */
async function take({ folder, io, catalog }: Lab, name: string): Promise<Table> {
  await catalog.registerTable(IDENTIFIER(name), sparkMetadata(name));
  const location = `${folder}/${name}`;
  const table = await loadTable(catalog, io, IDENTIFIER(name));
  await commitUpdates(table, (metadata) =>
    metadata.location === location ? null : [{ action: 'set-location', location }],
  );
  return loadTable(catalog, io, IDENTIFIER(name));
}

/** Row ids and sequence numbers, of a table of version 3. */
async function lineageOf(lab: CompactionLab, table: Table): Promise<readonly string[]> {
  if (table.metadata.formatVersion < 3) return [];
  return liveRows(lab, table, { select: '* EXCLUDE (file, row)' });
}

type RequestOf = (table: string, columns: readonly string[]) => CompactRequest;

const binpack: RequestOf = (table) => ({ table, strategy: 'binpack', targetSizeBytes: 230 });
const sort: RequestOf = (table, columns) => ({ table, strategy: 'sort', columns: columns.slice(-2) });
const zOrder: RequestOf = (table, columns) => ({
  table,
  strategy: 'sort',
  columns: columns.slice(0, 4),
  ...(columns.length > 1 ? { zOrder: true } : {}),
});

/** Every file is rewritten, and then every one again: the first time as too large or as not in order. */
const TURNS: readonly [string, readonly RequestOf[]][] = [
  ['binpack, then sort', [binpack, sort]],
  ['z-order, then sort', [zOrder, sort]],
];

/**
 * Position deletes of a partition, without bounds of the paths that they name: until the data files have a higher sequence number
 * than they, only reading them could tell that none is left. PyIceberg reads none in Avro.
 */
const LINGERING: Readonly<Record<string, RegExp>> = Object.fromEntries(
  ['position_deletes_avro', 'avro_gzip', 'avro_snappy', 'avro_zstd', 'avro_uncompressed'].map((name) => [
    name,
    /Delete file format not supported: FileFormat.AVRO/,
  ]),
);

/** Compacts a table. @returns its metadata file, or what it was before if there was nothing to do */
async function compact(lab: Lab, name: string, requestOf: RequestOf, turn: number): Promise<string> {
  const load = () => loadTable(lab.catalog, lab.io, IDENTIFIER(name));
  const before = await load();
  const columns = currentSchema(before.metadata).fields.flatMap((field) => (isPrimitive(field.type) ? field.name : []));
  const files = await filesOf(before);
  const lineage = await lineageOf(lab, before);
  const { filesRemoved, skipped } = await compactDirect(compactDeps(lab), requestOf(`demo.${name}`, columns));
  const after = await load();
  const left = await filesOf(after);
  const old = left.filter(({ file }) => !file.filePath.startsWith(lab.folder)).length;
  const deleted = left.filter(({ deletes }) => deletes !== undefined && (turn > 0 || !(name in LINGERING))).length;
  const expected = { name, filesRemoved: files.length, skipped: [], old: 0, deleted: 0 };
  expect.soft({ name, filesRemoved, skipped, old, deleted }).toEqual(expected);
  expect.soft(await lineageOf(lab, after), name).toEqual(lineage);
  return after.metadataLocation;
}

describeInterop('tables of Apache Spark, compacted and read by PyIceberg', () => {
  test.each(TURNS)('%s', async (_, requests) => {
    const lab = await openLab();
    const locations: string[][] = requests.map(() => []);
    for (const [name] of READABLE_SPARK_TABLES) {
      const table = await take(lab, name);
      if (table.metadata.formatVersion === 1) {
        await expect(compactDirect(compactDeps(lab), sort(`demo.${name}`, ['id']))).rejects.toMatchObject({
          code: 'FORMAT_VERSION_UNSUPPORTED',
          message: expect.stringContaining('upgrade it first') as string,
        });
        await commitUpdates(table, ({ formatVersion }) =>
          formatVersion > 1 ? null : [{ action: 'upgrade-format-version', formatVersion: 2 }],
        );
      }
      for (const [turn, requestOf] of requests.entries()) {
        locations[turn]?.push(await compact(lab, name, requestOf, turn));
      }
    }
    const reads = await readTables(inject('python') ?? '', 'pyiceberg', locations.flat());
    judge(reads.slice(0, READABLE_SPARK_TABLES.length), LINGERING);
    judge(reads.slice(READABLE_SPARK_TABLES.length), {});
  });
});
