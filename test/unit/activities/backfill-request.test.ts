import { describe, expect, test } from 'vitest';
import { backfillWorkflowId, parseBackfillRequest } from '../../../activities/backfill-request.js';
import { errorOf } from '../../support/error-code.js';

const DAY_US = 86_400_000_000n;

describe('the input of backfill', () => {
  test('is a view, a range and a step; the rest has defaults', () => {
    const parsed = parseBackfillRequest({ view: 'a', start: '1970-01-02', end: '1970-01-04', step: '1d' });
    expect(parsed).toEqual({
      view: 'a',
      startUs: DAY_US,
      endUs: 3n * DAY_US,
      stepUs: DAY_US,
      newestFirst: false,
      concurrency: 2,
    });
    const range = { startUs: DAY_US, endUs: 3n * DAY_US, stepUs: DAY_US };
    expect(backfillWorkflowId({ view: 'a', ...range })).toBe(
      'backfill/a/1970-01-02T00:00:00.000Z..1970-01-04T00:00:00.000Z/1d',
    );
  });

  test('or a stored plan', () => {
    expect(parseBackfillRequest({ plan: '/p.json', concurrency: 3, windowsPerCommit: 10 })).toEqual({
      plan: '/p.json',
      concurrency: 3,
      windowsPerCommit: 10,
    });
  });

  const range = { view: 'a', start: '2001-01-01', end: '2001-01-10', step: '1d' };
  test.each([
    ['nothing', null, 'the input of backfill is not right'],
    ['a wrong field', { ...range, veiw: 'a' }, '"veiw"'],
    ['no step', { view: 'a', start: '2001-01-01', end: '2001-01-02' }, '"step" must be given'],
    ['a step of months', { ...range, step: '1 month' }, 'months and years have no fixed length'],
    ['a step that does not divide the range', { ...range, step: '2d' }, '2001-01-09T00:00:00.000Z or 2001-01-11'],
    ['a start after the end', { ...range, start: '2001-02-01' }, 'Exchange start and end'],
    ['a time that is none', { ...range, end: 'tomorrow' }, '"tomorrow"'],
    ['no concurrency at all', { ...range, concurrency: 0 }, '"concurrency"'],
    ['a concurrency that would take all of a worker', { ...range, concurrency: 17 }, '"concurrency"'],
    ['commits of nothing', { ...range, windowsPerCommit: 0 }, '"windowsPerCommit"'],
    ['a plan and a range', { ...range, plan: '/p.json' }, '"plan" cannot be combined'],
  ])('%s is refused with the reason and an example', (_, input, reason) => {
    const { code, message } = errorOf(() => parseBackfillRequest(input));
    expect(code).toBe('INVALID_ARGUMENT');
    expect(message).toContain(reason);
  });
});
