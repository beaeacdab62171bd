/** A table whose files exist only in its manifests: what planning is measured on. */
import { type DataFile, parsePartitionSpec, parseSchema, serializeValue } from '../iceberg/index.js';
import type { Project } from '../project/index.js';
import { commitAppend, loadTable } from '../tables/index.js';
import type { BenchContext } from './job.js';
import { openBenchProject } from './world.js';

/** The table's name in every job's own catalog. */
export const PLANNED = { namespace: ['bench'], name: 'planned' } as const;

const LONG = { kind: 'long' } as const;

/** As many columns as the table that retrieval is measured on; `part` is the partition. */
const COLUMNS = ['part', 'id', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const SCHEMA = parseSchema({
  type: 'struct',
  'schema-id': 0,
  fields: COLUMNS.map((name, index) => ({ id: index + 1, name, required: false, type: 'long' })),
});

const ofEveryColumn = <T>(value: T): ReadonlyMap<number, T> => new Map(COLUMNS.map((_, index) => [index + 1, value]));

/** One file, with the statistics that writers give. @param number of the file in the table, from 0 */
function entry(location: string, commit: number, number: number): DataFile {
  const bounds = ofEveryColumn(serializeValue(LONG, BigInt(number)));
  return {
    content: 'data',
    filePath: `${location}/data/${number}.parquet`,
    fileFormat: 'PARQUET',
    specId: 0,
    partition: [BigInt(commit)],
    recordCount: 1000n,
    fileSizeInBytes: 10_000n,
    columnSizes: ofEveryColumn(1000n),
    valueCounts: ofEveryColumn(1000n),
    nullValueCounts: ofEveryColumn(0n),
    lowerBounds: bounds,
    upperBounds: bounds,
  };
}

/** Makes the table in the job's folder: every commit adds files to a partition of its own, and is a manifest. */
export async function makePlannedTable(context: BenchContext, commits: number, filesPerCommit: number): Promise<void> {
  const project = await openBenchProject(context.dataFolder);
  await fillPlannedTable(project, commits, filesPerCommit);
  await project.close();
}

/** The same in a project. */
export async function fillPlannedTable(project: Project, commits: number, filesPerCommit: number): Promise<void> {
  const catalog = await project.catalog();
  await catalog.createNamespace([...PLANNED.namespace]);
  // Merging would rewrite the manifests of a hundred commits into one; planning must also be good at many.
  const properties = new Map([['commit.manifest-merge.enabled', 'false']]);
  await catalog.createTable(PLANNED, {
    schema: SCHEMA,
    partitionSpec: parsePartitionSpec('part', SCHEMA),
    properties,
  });
  for (let commit = 0; commit < commits; commit++) {
    const table = await loadTable(catalog, project.io, PLANNED);
    const first = commit * filesPerCommit;
    const { location } = table.metadata;
    const files = Array.from({ length: filesPerCommit }, (_, index) => entry(location, commit, first + index));
    await commitAppend(table, { files });
  }
}
