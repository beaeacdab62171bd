/**
 * Two processes that are one sink: the one that was stopped (SIGSTOP) while the other took over commits nothing more when it goes on, whatever it was doing, and no
 * row is there twice. sink-s3-rest.test.ts and sink-kafka.test.ts have the same on other stores, catalogs and sources.
 */
import { appendFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { followedProject, idLines } from '../support/followed-runs.js';
import { sinkKills } from '../support/sink-kills.js';
import { expectStopsSurvived } from '../support/stopped-runs.js';
import { upTo } from '../support/up-to.js';

const STOPS = sinkKills(6);
/** Importing the number made it shorter. */

test('a run that was stopped with records in its memory is fenced by the one that wrote them meanwhile', {
  timeout: 300_000,
}, async () => {
  const { file, ids, added, follow } = await followedProject();
  writeFileSync(file('log'), idLines(0, 5));
  // Nothing but a whole batch makes it commit, once the file is known.
  const first = follow('log', '--batch-interval', '3600', '--batch-size', '40');
  await first.rows(5);
  appendFileSync(file('log'), idLines(5, 20));
  await first.until(({ progress }) => progress.at(-1)?.bufferedRecords === 15);
  first.signal('SIGSTOP');
  const second = follow('log');
  await second.rows(15);
  appendFileSync(file('log'), idLines(20, 30));
  await second.rows(25);
  first.signal('SIGCONT');
  appendFileSync(file('log'), idLines(30, 60));
  expect(await first.ended()).toBe(4);
  expect(first.stderr).toContain('"code":"SINK_FENCED"');
  await second.rows(55);
  expect(await second.end('SIGTERM')).toBe(0);
  expect(await ids()).toEqual(upTo(60));
  const rows = await added();
  expect(rows.reduce((sum, count) => sum + count, 0)).toBe(60);
  expect(rows.slice(0, 3)).toEqual([5, 15, 10]);
});

test(`stopped ${STOPS} times at random accesses while another run writes what is left, a run commits nothing more`, async () => {
  const { folder, file, ids, added } = await followedProject();
  await expectStopsSurvived('two runs', {
    ...{ folder, isLocal: true, args: ['iot.uplinks', 'log'], stops: STOPS, ids, added },
    offer: (from, to) => appendFileSync(file('log'), idLines(from, to)),
  });
});
