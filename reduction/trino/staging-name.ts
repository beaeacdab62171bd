/** Names of staging tables: when one was made, and for which attempt, so that what a killed process leaves is known as such. Pure. */
import type { WorkAttempt } from '../reduce-context.js';

/** What a staging table holds, the first part of its name. */
export type StagingKind = 'rows' | 'files' | 'probe';

/** Left-overs of processes that were killed are dropped after this time; no query runs as long. */
const LEFT_OVER_MS = 7 * 24 * 3_600_000;

const NAME = /^(?:rows|files|probe)_(?<madeMs>\d{13})_(?:(?<work>[0-9a-f]{16})_(?<attempt>\d+)_)?[0-9a-f]{32}$/;

/** `KIND_MILLISECONDS[_WORK_ATTEMPT]_UNIQUE` */
export function stagingName(kind: StagingKind, nowMs: number, attempt: WorkAttempt | undefined, uuid: string): string {
  const of = attempt === undefined ? [] : [attempt.work, attempt.number];
  return [kind, nowMs, ...of, uuid.replaceAll('-', '')].join('_');
}

/** Whether a table is one of ours that nobody can need any more. */
export function isLeftOver(name: string, nowMs: number): boolean {
  const madeMs = NAME.exec(name)?.groups?.['madeMs'];
  return madeMs !== undefined && nowMs - Number(madeMs) > LEFT_OVER_MS;
}

/** Whether a table was made by an attempt at the same work before this one, which has ended or been given up. */
export function isOfEarlierAttempt(name: string, { work, number }: WorkAttempt): boolean {
  const made = NAME.exec(name)?.groups;
  return made?.['work'] === work && Number(made['attempt']) < number;
}
