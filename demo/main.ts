/**
 * `npm run demo`: the main job on real input, by the configuration of any storage and catalog. Three million flights become an Iceberg table, hourly features of every
 * airport another; two feature views are materialized by workflows, read online, joined into a training set, and brought up
 * to date with rows that arrive late. A third view is backfilled week by week, its online table compacted, and served over HTTP; a sink streams a further day into the flights, while a view of them is materialized and served. Every answer is
 * checked against plain SQL over the raw file, and the digest of all rows is the same wherever they are.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { appendFile } from '../client/index.js';
import { parseTimeUs } from '../config/index.js';
import { openProject, type Project } from '../project/index.js';
import { installQuietRuntime, type LocalRun, withLocalRun } from '../workers/index.js';
import { AT, checkHistory, checkOnline, checkServed, checkStreamed, NONE, newestOfAll, rowText } from './checks.js';
import { type DemoDigest, digestTables } from './digest.js';
import { Expected, writeSample } from './expected.js';
import { type DemoOptions, readOptions } from './options.js';
import { DEFINITIONS_FILE, makeProject, requireNoTables } from './project-files.js';
import { Report } from './report.js';
import { readOverHttp } from './served.js';
import {
  applyFile,
  computeHourly,
  describeOnline,
  LATE_ROWS,
  makeFrame,
  makeTrainingSet,
  materializeView,
  readOnline,
  writeFlights,
} from './steps.js';
import { streamFlights } from './streamed.js';
import { backfillHistory, compactHistory, dryRunMaintenance, HISTORY_VIEW } from './upkeep.js';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const FLIGHTS = join(ROOT, 'node_modules/vega-datasets/data/flights-3m.parquet');
/** Flights of the training set, where there are three million of them. */
const TRAINING_FLIGHTS = 10_000;
const VIEWS = ['airport_delay', 'airport_traffic'];
const SHOWN = ['ATL', 'ORD', 'SFO', 'HNL', 'XXX'];

async function keepHistory(project: Project, local: LocalRun, report: Report, expected: Expected): Promise<void> {
  await report.step('Backfill half a year of a third view, week by week, newest first', async () => {
    const value = await backfillHistory(local, ({ windowsDone, windowsTotal }) =>
      report.progress(`${HISTORY_VIEW}: ${windowsDone} of ${windowsTotal} weeks`),
    );
    return {
      value,
      said: `${value.windows} weeks, ${value.rows} rows, ${value.files} files, ${value.commits} commits`,
    };
  });
  await checkHistory(project, report, expected);
  await report.step('Compact its online table: the newest row of each airport', async () => {
    const value = await compactHistory(local);
    return { value, said: `${value.filesRemoved} files became ${value.filesAdded} with ${value.rows} rows` };
  });
  await checkHistory(project, report, expected);
  await serveHistory(project, report, expected);
  await stream(project, local, report, expected);
  const { reasons } = await report.step('Ask what maintenance would do to it now', async () => {
    const value = await dryRunMaintenance(project);
    const { fileOwner, expired, kept } = value;
    const owned =
      fileOwner === undefined ? `expire ${expired} of ${expired + kept} snapshots` : `leave it to ${fileOwner}`;
    return { value, said: `${owned}; nothing is changed` };
  });
  report.lines([...reasons].map(([kind, files]) => `${files} files, ${kind}`));
}

async function serveHistory(project: Project, report: Report, expected: Expected): Promise<void> {
  const wanted = await newestOfAll(expected);
  const airports = wanted.map(([airport]) => airport ?? '');
  const { rows } = await report.step('Serve it over HTTP and read every airport', async () => {
    const value = await readOverHttp(project, HISTORY_VIEW, airports);
    return { value, said: `${value.rows.length} airports from POST ${value.url}/get-online-features` };
  });
  report.lines(rows.filter(([airport = '']) => SHOWN.includes(airport)).map(rowText));
  checkServed(report, rows, wanted);
}

async function stream(project: Project, local: LocalRun, report: Report, expected: Expected): Promise<void> {
  const airports = (await newestOfAll(expected)).map(([airport]) => airport ?? '');
  const { sums, answers } = await report.step(
    'Stream a further day of flights through a sink, while a view of them is materialized and served',
    async () => {
      const value = await streamFlights(project, local, expected, airports);
      const { rows, commits, runs, written } = value;
      const beside = `${runs} materializations of ${written} rows and ${value.answers.length} answers of one service`;
      return { value, said: `${rows} flights in ${commits} commits, beside ${beside}` };
    },
  );
  const wanted = await expected.nextDaySums();
  report.check('airports of the streamed day', sums.map(rowText), wanted.map(rowText));
  await checkStreamed(report, expected, answers);
}

async function materializeAll(local: LocalRun, report: Report) {
  const results = [];
  for (const view of VIEWS) {
    const result = await materializeView(local, view, (progress) =>
      report.progress(`${view}: ${progress.step}, ${progress.shardsDone} of ${progress.shardsTotal} shards`),
    );
    results.push(result);
  }
  return results;
}

async function makeTables(project: Project, report: Report, expected: Expected): Promise<string> {
  const flights = await report.step('Write the flights into demo.flights, partitioned by month', async () => {
    const value = await writeFlights(project, expected.flightsPath);
    return { value, said: `${value.rows} rows in ${value.files} files` };
  });
  report.check('rows of demo.flights', [String(flights.rows)], [String(await expected.flightCount())]);
  const { lateFile } = await report.step('Compute the hourly feature table demo.airport_hourly', async () => {
    const value = await computeHourly(project);
    return { value, said: `${value.appended.rows} rows in ${value.appended.files} files` };
  });
  await report.step('Apply four feature views and a feature service', async () => {
    const file = join(project.config.directory, DEFINITIONS_FILE);
    const value = await applyFile(project, parse(await readFile(file, 'utf8')), file);
    return { value, said: `${value.plan.changes.length} definitions` };
  });
  return lateFile;
}

async function readAndTrain(project: Project, report: Report, expected: Expected, scale: number): Promise<void> {
  await report
    .step(`Read airports online at the data's last hour (${AT})`, async () => {
      const value = await readOnline(project, SHOWN, parseTimeUs(AT, 'at'));
      return { value, said: `${value.rows.length} airports, each view at one snapshot` };
    })
    .then((response) => report.lines(describeOnline(response, SHOWN)));
  await checkOnline(project, report, expected, LATE_ROWS);
  await report
    .step('Read the same airports now', async () => {
      const value = await readOnline(project, SHOWN.slice(0, 2));
      return { value, said: 'the features of 2001 are too old to serve' };
    })
    .then((response) => report.lines(describeOnline(response, SHOWN)));
  const count = Math.ceil(TRAINING_FLIGHTS * scale);
  const { frame, training } = await report.step(`Make a point-in-time training set for ${count} flights`, async () => {
    const made = await makeFrame(project, count);
    const set = await makeTrainingSet(project, made);
    const snapshots = [...set.snapshots].map(([table, id]) => `${table} at snapshot ${id}`).join(', ');
    return { value: { frame: made, training: set }, said: `${set.rows.length} rows from ${snapshots}` };
  });
  const rows = await expected.trainingRows(frame, '6 hours', LATE_ROWS);
  report.check('training rows', training.rows.map(rowText), rows.map(rowText));
}

async function catchLateRows(project: Project, local: LocalRun, report: Report, lateFile: string): Promise<void> {
  const before = await readOnline(project, ['SFO', 'HNL'], parseTimeUs(AT, 'at'));
  await report.step('Append rows that arrive late: the last hours of SFO and HNL', async () => {
    const value = await appendFile(project, 'demo.airport_hourly', lateFile);
    return { value, said: `${value.rows} rows, all older than what is materialized already` };
  });
  await report.step('Materialize again: incrementally, by snapshot', async () => {
    const value = await materializeAll(local, report);
    return { value, said: value.map((one) => `${one.view}: ${one.kind}, ${one.rows} rows`).join('; ') };
  });
  const after = await readOnline(project, ['SFO', 'HNL'], parseTimeUs(AT, 'at'));
  report.lines([
    ...describeOnline(before, ['before  SFO', 'before  HNL']),
    ...describeOnline(after, ['after   SFO', 'after   HNL']),
  ]);
}

async function runDemo(project: Project, report: Report, expected: Expected, scale: number): Promise<DemoDigest> {
  await requireNoTables(project);
  const lateFile = await makeTables(project, report, expected);
  const began = performance.now();
  await withLocalRun(
    project,
    async (local) => {
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      report.announce(
        `Temporal ${local.server === undefined ? 'is' : 'was started'} at ${local.settings.address}  (${seconds} s)`,
      );
      await report.step('Materialize both views as workflows', async () => {
        const value = await materializeAll(local, report);
        return { value, said: value.map((one) => `${one.view}: ${one.kind}, ${one.rows} rows`).join('; ') };
      });
      await readAndTrain(project, report, expected, scale);
      await catchLateRows(project, local, report, lateFile);
      await checkOnline(project, report, expected, NONE);
      await keepHistory(project, local, report, expected);
    },
    { announce: (message) => report.announce(message) },
  );
  const made = await report.step('Compute the digest of all rows', async () => {
    const value = await digestTables(project);
    return { value, said: value.digest };
  });
  report.lines(made.tables.map(({ table, rows, digest }) => `${table}: ${rows} rows, ${digest}`));
  return made;
}

/** Runs the demo in a project of its own. */
async function demonstrate({ folder, configFile, scale }: DemoOptions, report: Report): Promise<DemoDigest> {
  await makeProject(folder, configFile);
  installQuietRuntime();
  const data = join(folder, 'data');
  const flights = scale === 1 ? FLIGHTS : join(data, 'flights.parquet');
  if (scale !== 1) await writeSample(FLIGHTS, scale, flights);
  const expected = await Expected.open(flights);
  const project = await openProject({ cwd: folder, fileFolders: [dirname(FLIGHTS), data] });
  try {
    return await runDemo(project, report, expected, scale);
  } finally {
    await project.close();
    expected.close();
  }
}

async function main(): Promise<number> {
  const began = performance.now();
  const options = readOptions(process.argv.slice(2), ROOT);
  if (typeof options === 'string') {
    process.stdout.write(options);
    return 0;
  }
  const report = new Report(options.isJson ? process.stderr : process.stdout);
  const made = await demonstrate(options, report);
  const seconds = Number(((performance.now() - began) / 1000).toFixed(0));
  const { problems } = report;
  if (options.isJson) {
    const answer = { scale: options.scale, ...made, answersThatDiffer: problems, seconds };
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  report.end(
    problems > 0
      ? [differ(problems)]
      : [`All answers equal plain SQL over the raw file. ${seconds} s in all.`, ...nextSteps(options)],
  );
  return problems > 0 ? 1 : 0;
}

const differ = (problems: number): string =>
  `${problems} answers differ from plain SQL. This is a bug; please report it with this output.`;

function nextSteps({ folder, configFile }: DemoOptions): string[] {
  const shown = relative(process.cwd(), folder) || '.';
  const where = configFile === undefined ? `The warehouse is ${join(shown, 'warehouse')}. ` : '';
  return [
    `${where}Try next, in ${shown}:`,
    '  npx moraine dev                                          # the same runs in the Temporal web UI',
    `  npx moraine online get airport_delay --entity origin=ATL --at ${AT}`,
    '  npx moraine table history demo.airport_hourly',
  ];
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});
