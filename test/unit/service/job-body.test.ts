/** Intervals of jobs: closed at both ends over HTTP, open at the end in the library. */
import { expect, test } from 'vitest';
import { materializeRequests } from '../../../service/job-body.js';

const of = (start_ts: string, end_ts: string) => materializeRequests({ start_ts, end_ts }, ['trips'], 'window');

test.each([
  ['a day', '2026-03-01T00:00:00Z', '2026-03-02T00:00:00Z', '2026-03-01T00:00:00.000Z', '2026-03-02T00:00:00.000001Z'],
  [
    'one moment',
    '2026-03-01T00:00:00Z',
    '2026-03-01T00:00:00Z',
    '2026-03-01T00:00:00.000Z',
    '2026-03-01T00:00:00.000001Z',
  ],
  [
    'part of a millisecond',
    '2026-03-01T00:00:00.000001Z',
    '2026-03-01T00:00:00.000999Z',
    '2026-03-01T00:00:00.000001Z',
    '2026-03-01T00:00:00.001Z',
  ],
])('%s', (_, startTs, endTs, start, end) => {
  expect(of(startTs, endTs)).toEqual([{ view: 'trips', start, end }]);
});

test('an end before the start', () => {
  expect(() => of('2026-03-01T00:00:00.000001Z', '2026-03-01T00:00:00Z')).toThrow(
    "The body's start_ts 2026-03-01T00:00:00.000001Z is after its end_ts 2026-03-01T00:00:00Z.",
  );
});
