/** The demo's answers beside those of plain SQL over the raw file. */
import { formatTimeUs, parseTimeUs } from '../config/index.js';
import type { OnlineResponse } from '../online/index.js';
import type { Project } from '../project/index.js';
import { BEFORE_STREAM, END_OF_TIME, type Expected, type ExpectedRow } from './expected.js';
import type { Report } from './report.js';
import { readOnline } from './steps.js';
import type { Answer } from './streamed.js';
import { HISTORY_VIEW, readHistory } from './upkeep.js';

/** The data's last hour: the data is of 2001. */
export const AT = '2001-07-01T01:00:00Z';
/** A condition of SQL by which no row comes late. */
export const NONE = 'false';
const TTL_HOURS = 6;

export const rowText = (row: ExpectedRow): string => row.map((value) => value ?? 'null').join(' | ');

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

export async function checkOnline(project: Project, report: Report, expected: Expected, late: string): Promise<void> {
  const rows = await expected.newestHours(AT.replace('T', ' ').replace('Z', ''), late);
  const airports = rows.map(([airport]) => airport ?? '');
  const response = await readOnline(project, airports, parseTimeUs(AT, 'at'));
  report.check(
    `online values of all ${airports.length} airports`,
    onlineRows(response, airports),
    withinTtl(rows, TTL_HOURS),
  );
}

/** The newest hour of every airport, whatever its age. */
export const newestOfAll = (expected: Expected): Promise<readonly ExpectedRow[]> =>
  expected.newestHours(AT.replace('T', ' ').replace('Z', ''), NONE);

/** Values that were served over HTTP as of now: nothing is newer than the data's last hour. */
export function checkServed(report: Report, served: readonly ExpectedRow[], wanted: readonly ExpectedRow[]): void {
  const expected = withinTtl(wanted, Number.POSITIVE_INFINITY);
  report.check(`values over HTTP for all ${wanted.length} airports`, served.map(rowText), expected);
}

/** The newest time of an answer. */
const newestTime = (answer: Answer): string =>
  answer.reduce((last, [, time]) => (typeof time === 'string' && time > last ? time : last), '');

/**
 * Answers from before, during and after the stream, whose flights come in the order of their times: each has all flights before its newest one, none is older than an answer
 * before it, and the last has them all.
 */
export async function checkStreamed(report: Report, expected: Expected, answers: readonly Answer[]): Promise<void> {
  const newest = answers.map(newestTime);
  report.check('times of the answers, none of which goes back', newest, newest.toSorted());
  const [before, after] = [answers[0] ?? [], answers.at(-1) ?? []];
  const [first, last] = [await expected.lastFlights(BEFORE_STREAM), await expected.lastFlights(END_OF_TIME)];
  report.check(`values of ${first.length} airports before the stream`, before.map(rowText), first.map(rowText));
  report.check(`values of ${last.length} airports after it`, after.map(rowText), last.map(rowText));
  const [seen, wanted]: [string[], string[]] = [[], []];
  for (const time of new Set(newest)) {
    const flights = await expected.lastFlights(time);
    // Of the flights of the newest minute the next commit may have some.
    const known = new Set(flights.flatMap(([airport, at], index) => (at === time ? [] : [`${index} ${airport}`])));
    const texts = (rows: Answer): readonly string[] =>
      rows.filter(([airport], index) => known.has(`${index} ${airport}`)).map(rowText);
    for (const answer of answers.filter((_, index) => newest[index] === time)) {
      seen.push(...texts(answer));
      wanted.push(...texts(flights));
    }
  }
  report.check(`values of ${answers.length} answers at ${new Set(newest).size} states of the stream`, seen, wanted);
}

/** The values of the backfilled view, whatever their age. */
export async function checkHistory(project: Project, report: Report, expected: Expected): Promise<void> {
  const rows = await newestOfAll(expected);
  const airports = rows.map(([airport]) => airport ?? '');
  const response = await readHistory(project, airports, parseTimeUs(AT, 'at'));
  const wanted = withinTtl(rows, Number.POSITIVE_INFINITY);
  report.check(`values of ${HISTORY_VIEW} for all ${airports.length} airports`, onlineRows(response, airports), wanted);
}
