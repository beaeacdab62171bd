/** The demo's stream: the flights of a further day reach the table through a sink, while a view of it is materialized and a service answers. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { sinkFiles } from '../client/index.js';
import { makeFolders } from '../processes/index.js';
import type { Project } from '../project/index.js';
import type { LocalRun } from '../workers/index.js';
import { END_OF_TIME, type Expected, type ExpectedRow, streamedSql } from './expected.js';
import { withService } from './served.js';
import { materializeView, tableRows } from './steps.js';

/** The view of the streamed table. */
const VIEW = 'airport_last_flight';
const FEATURES = ['delay', 'distance'] as const;
/** Flights of a commit. */
const BATCH = 500;
/** Between two questions to the service. */
const PAUSE_MS = 20;

/** How long the service may take to see what the last run has committed, on a machine that is busy. */
const MAX_WAIT_MS = 30_000;

/** What the service answered about every airport, in the form of the expected rows. */
export type Answer = readonly ExpectedRow[];

interface Streamed {
  readonly rows: bigint;
  readonly commits: number;
  /** Materializations, and rows that they wrote. */
  readonly runs: number;
  readonly written: bigint;
  /** In their order: the first from before the stream, the last from after it. */
  readonly answers: readonly Answer[];
  /** Sums over the flights of the day, by airport. */
  readonly sums: readonly ExpectedRow[];
}

/** Streams the flights; until all of them are there, the view is materialized again and again, and one service is asked for all airports. */
export async function streamFlights(
  project: Project,
  local: LocalRun,
  expected: Expected,
  airports: readonly string[],
): Promise<Streamed> {
  const folder = join(project.config.directory, 'data');
  await makeFolders(folder);
  const file = join(folder, 'next_day.ndjson');
  await expected.writeNextDay(file);
  const materialize = () => materializeView(local, VIEW, () => undefined);
  await materialize();
  return await withService(project, async (service) => {
    const read = () => service.read(VIEW, FEATURES, airports);
    const answers: Answer[] = [await read()];
    let isStreaming = true;
    const stream = async () => {
      try {
        return await sinkFiles(project, 'demo.flights', [file], { name: 'next_day', batchSize: BATCH });
      } finally {
        isStreaming = false;
      }
    };
    let [runs, written] = [0, 0n];
    const keepFresh = async (): Promise<void> => {
      const { rows } = await materialize();
      [runs, written] = [runs + 1, written + BigInt(rows)];
      if (isStreaming) await keepFresh();
    };
    const keepAsking = async (): Promise<void> => {
      while (isStreaming) {
        answers.push(await read());
        await delay(PAUSE_MS);
      }
    };
    const [{ rows, commits }] = await Promise.all([stream(), keepFresh(), keepAsking()]);
    // What was committed after the last run began. The service answers from the state before until it has decoded a new one.
    await keepFresh();
    const all = String(await expected.lastFlights(END_OF_TIME));
    const endsMs = performance.now() + MAX_WAIT_MS;
    for (let answer: Answer = []; String(answer) !== all && performance.now() < endsMs; ) {
      answer = await read();
      answers.push(answer);
      await delay(PAUSE_MS);
    }
    return { rows, commits, runs, written, answers, sums: await streamedSums(project) };
  });
}

async function streamedSums(project: Project): Promise<readonly ExpectedRow[]> {
  const engine = await project.engine();
  return await engine.withConnection(async (connection) => {
    const { relation } = await tableRows(project, connection, 'demo.flights');
    const rows = await connection.rows(`SELECT COLUMNS(*)::VARCHAR FROM (${streamedSql(relation)})`);
    return rows.map((row) => row.map((value) => (value === null ? null : String(value))));
  });
}
