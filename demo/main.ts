/**
 * `npm run demo`: the main job on real input. Three million flights become an Iceberg table, hourly features of every
 * airport another; two feature views are materialized by workflows, read online, joined into a training set, and brought up
 * to date with rows that arrive late. A third view is backfilled week by week and its online table compacted. Every answer is
 * checked against plain SQL over the raw file.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { appendFile } from '../client/index.js';
import { formatTimeUs, parseTimeUs } from '../config/index.js';
import type { OnlineResponse } from '../online/index.js';
import { openProject, type Project } from '../project/index.js';
import { installQuietRuntime, type LocalRun, withLocalRun } from '../workers/index.js';
import { Expected, type ExpectedRow } from './expected.js';
import { DEFINITIONS_FILE, makeProject } from './project-files.js';
import { Report } from './report.js';
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
import { backfillHistory, compactHistory, dryRunMaintenance, HISTORY_VIEW, readHistory } from './upkeep.js';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const FLIGHTS = join(ROOT, 'node_modules/vega-datasets/data/flights-3m.parquet');
const FOLDER = join(ROOT, '.moraine', 'demo');
const VIEWS = ['airport_delay', 'airport_traffic'];
/** The data's last hour: the data is of 2001. */
const AT = '2001-07-01T01:00:00Z';
const SHOWN = ['ATL', 'ORD', 'SFO', 'HNL', 'XXX'];
const NONE = 'false';
const TTL_HOURS = 6;

const text = (row: ExpectedRow): string => row.map((value) => value ?? 'null').join(' | ');

/** An online answer in the form of the expected rows: the newest hour's values of each airport, whatever its age. */
function onlineRows(response: OnlineResponse, airports: readonly string[]): string[] {
  const place = (name: string): number => response.features.findIndex((feature) => feature.name === name);
  return airports.map((airport, index) => {
    const row = response.rows[index] ?? [];
    const value = (name: string): string => numberText(row[place(name)]?.value);
    const time = row[0]?.eventTimestampUs ?? null;
    const when =
      time === null
        ? 'null'
        : formatTimeUs(time)
            .replace('T', ' ')
            .replace(/(\.0+)?Z$/, '');
    return [airport, when, value('flights'), value('mean_delay'), value('share_delayed'), value('longest_delay')].join(
      ' | ',
    );
  });
}

/** As DuckDB casts a double to text: `5.0`, not `5`. */
function numberText(value: unknown): string {
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : 'null';
}

/** The expected answer of an online read: values older than the ttl, in hours, are withheld. */
function withinTtl(rows: readonly ExpectedRow[], ttlHours: number): string[] {
  const oldest = Date.parse(AT) - ttlHours * 3_600_000;
  return rows.map((row) => {
    const [airport, time, ...values] = row;
    const expired = Date.parse(`${time?.replace(' ', 'T') ?? ''}Z`) < oldest;
    const shown = values.map((value) => (expired ? 'null' : String(value === null ? 'null' : Number(value))));
    return [airport, time, ...shown].join(' | ');
  });
}

async function checkOnline(project: Project, report: Report, expected: Expected, late: string): Promise<void> {
  const rows = await expected.newestHours(AT.replace('T', ' ').replace('Z', ''), late);
  const airports = rows.map(([airport]) => airport ?? '');
  const response = await readOnline(project, airports, parseTimeUs(AT, 'at'));
  report.check(
    `online values of all ${airports.length} airports`,
    onlineRows(response, airports),
    withinTtl(rows, TTL_HOURS),
  );
}

/** The values of the backfilled view, whatever their age. */
async function checkHistory(project: Project, report: Report, expected: Expected): Promise<void> {
  const rows = await expected.newestHours(AT.replace('T', ' ').replace('Z', ''), NONE);
  const airports = rows.map(([airport]) => airport ?? '');
  const response = await readHistory(project, airports, parseTimeUs(AT, 'at'));
  const wanted = withinTtl(rows, Number.POSITIVE_INFINITY);
  report.check(`values of ${HISTORY_VIEW} for all ${airports.length} airports`, onlineRows(response, airports), wanted);
}

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
  const { reasons } = await report.step('Ask what maintenance would do to it now', async () => {
    const value = await dryRunMaintenance(project);
    return { value, said: `expire ${value.expired} of ${value.expired + value.kept} snapshots; nothing is changed` };
  });
  report.lines([...reasons].map(([kind, files]) => `${files} files, ${kind}`));
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
  const flights = await report.step('Write 3 million flights into demo.flights, partitioned by month', async () => {
    const value = await writeFlights(project, FLIGHTS);
    return { value, said: `${value.rows} rows in ${value.files} files` };
  });
  report.check('rows of demo.flights', [String(flights.rows)], [String(await expected.flightCount())]);
  const { lateFile } = await report.step('Compute the hourly feature table demo.airport_hourly', async () => {
    const value = await computeHourly(project);
    return { value, said: `${value.appended.rows} rows in ${value.appended.files} files` };
  });
  await report.step('Apply three feature views and a feature service', async () => {
    const file = join(FOLDER, DEFINITIONS_FILE);
    const value = await applyFile(project, parse(await readFile(file, 'utf8')), file);
    return { value, said: `${value.plan.changes.length} definitions` };
  });
  return lateFile;
}

async function readAndTrain(project: Project, report: Report, expected: Expected): Promise<void> {
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
  const { frame, training } = await report.step('Make a point-in-time training set for 10,000 flights', async () => {
    const made = await makeFrame(project);
    const set = await makeTrainingSet(project, made);
    const snapshots = [...set.snapshots].map(([table, id]) => `${table} at snapshot ${id}`).join(', ');
    return { value: { frame: made, training: set }, said: `${set.rows.length} rows from ${snapshots}` };
  });
  const rows = await expected.trainingRows(frame, '6 hours', LATE_ROWS);
  report.check('training rows', training.rows.map(text), rows.map(text));
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

async function runDemo(project: Project, report: Report, expected: Expected): Promise<void> {
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
      await readAndTrain(project, report, expected);
      await catchLateRows(project, local, report, lateFile);
      await checkOnline(project, report, expected, NONE);
      await keepHistory(project, local, report, expected);
    },
    { announce: (message) => report.announce(message) },
  );
}

async function main(): Promise<number> {
  const began = performance.now();
  const report = new Report();
  await makeProject(FOLDER);
  installQuietRuntime();
  const expected = await Expected.open(FLIGHTS);
  const project = await openProject({ cwd: FOLDER, fileFolders: [dirname(FLIGHTS), join(FOLDER, 'data')] });
  try {
    await runDemo(project, report, expected);
  } finally {
    await project.close();
    expected.close();
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  if (report.problems > 0) {
    process.stdout.write(
      `\n${report.problems} answers differ from plain SQL. This is a bug; please report it with this output.\n`,
    );
    return 1;
  }
  process.stdout.write(`
All answers equal plain SQL over the raw file. ${seconds} s in all.
The warehouse is ${join(relative(process.cwd(), FOLDER) || '.', 'warehouse')}. Try next, in ${relative(process.cwd(), FOLDER) || '.'}:
  npx moraine dev                                          # the same runs in the Temporal web UI
  npx moraine online get airport_delay --entity origin=ATL --at ${AT}
  npx moraine table history demo.airport_hourly
`);
  return 0;
}

process.exitCode = await main();
