/** The demo's stream: the flights of a further day reach the table through a sink, while views are materialized and read over HTTP. */
import { join } from 'node:path';
import { sinkFiles } from '../client/index.js';
import { makeFolders } from '../processes/index.js';
import type { Project } from '../project/index.js';
import type { LocalRun } from '../workers/index.js';
import { type Expected, type ExpectedRow, streamedSql } from './expected.js';
import { readOverHttp } from './served.js';
import { materializeView, tableRows } from './steps.js';

/** Flights of a commit. */
const BATCH = 1_000;

interface Streamed {
  readonly rows: bigint;
  readonly commits: number;
  /** Materializations and reads that ended meanwhile. */
  readonly runs: number;
  readonly reads: number;
  /** Sums over the flights of the day, by airport. */
  readonly sums: readonly ExpectedRow[];
}

/** Streams the flights, and materializes and reads again and again until they are there. */
export async function streamFlights(
  project: Project,
  local: LocalRun,
  expected: Expected,
  { view, served }: { readonly view: string; readonly served: string },
  airports: readonly string[],
): Promise<Streamed> {
  const folder = join(project.config.directory, 'data');
  await makeFolders(folder);
  const file = join(folder, 'next_day.ndjson');
  await expected.writeNextDay(file);
  let isStreaming = true;
  const done = sinkFiles(project, 'demo.flights', [file], { name: 'next_day', batchSize: BATCH }).finally(() => {
    isStreaming = false;
  });
  let [runs, reads] = [0, 0];
  const beside = async (): Promise<void> => {
    do {
      await materializeView(local, view, () => undefined);
      runs += 1;
      reads += (await readOverHttp(project, served, airports)).rows.length;
    } while (isStreaming);
  };
  const [{ rows, commits }] = await Promise.all([done, beside()]);
  return { rows, commits, runs, reads, sums: await streamedSums(project) };
}

async function streamedSums(project: Project): Promise<readonly ExpectedRow[]> {
  const engine = await project.engine();
  return await engine.withConnection(async (connection) => {
    const { relation } = await tableRows(project, connection, 'demo.flights');
    const rows = await connection.rows(`SELECT COLUMNS(*)::VARCHAR FROM (${streamedSql(relation)})`);
    return rows.map((row) => row.map((value) => (value === null ? null : String(value))));
  });
}
