import { describe, expect, test } from 'vitest';
import {
  backfillWorkflowId,
  parseBackfillRequest,
  parseBackfillSettings,
} from '../../../activities/backfill-request.js';
import { backfillInput } from '../../../activities/start-backfill.js';
import { parseTrainingSetRequest } from '../../../training/index.js';
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
    expect(backfillWorkflowId('a', range, '0123456789ab')).toBe(
      'backfill/a/1970-01-02T00:00:00.000Z..1970-01-04T00:00:00.000Z/1d@0123456789ab',
    );
  });

  test('or a training set instead of a view', () => {
    const trainingSet = { name: 'march', features: ['a'], entities: { table: 'shop.labels' }, to: 'shop.march' };
    const parsed = parseBackfillRequest({ trainingSet, start: '1970-01-02', end: '1970-01-04', step: '1d' });
    expect(parsed).toMatchObject({ trainingSet: { name: 'march', to: 'shop.march' }, startUs: DAY_US, stepUs: DAY_US });
    expect(parsed).not.toHaveProperty('view');
  });

  test('or a stored plan', () => {
    expect(parseBackfillRequest({ plan: '/p.json', concurrency: 3, windowsPerCommit: 10, engine: 'trino' })).toEqual({
      plan: '/p.json',
      concurrency: 3,
      windowsPerCommit: 10,
      engine: 'trino',
    });
  });

  test('has an engine for the windows of a view; those of a training set have that of its request', () => {
    const range = { startUs: DAY_US, endUs: 3n * DAY_US, stepUs: DAY_US, order: 'oldest-first' } as const;
    const settings = parseBackfillSettings({ engine: 'trino' });
    expect(backfillInput({ view: 'a' }, range, settings)).toEqual({
      view: 'a',
      startUs: String(DAY_US),
      endUs: String(3n * DAY_US),
      stepUs: String(DAY_US),
      newestFirst: false,
      concurrency: 2,
      engine: 'trino',
    });
    const trainingSet = parseTrainingSetRequest({
      ...{ name: 'march', features: ['a'], entities: { table: 'shop.labels' }, to: 'shop.march', engine: 'auto' },
    });
    expect(backfillInput({ trainingSet }, range, parseBackfillSettings({}))).toMatchObject({
      trainingSet: { name: 'march', engine: 'auto' },
    });
    const refused = errorOf(() => backfillInput({ trainingSet }, range, settings));
    expect(refused.code).toBe('INVALID_ARGUMENT');
    expect(refused.message).toContain('"engine" is for the windows of a view');
  });

  const range = { view: 'a', start: '2001-01-01', end: '2001-01-10', step: '1d' };
  const sharded = { name: 'b', features: ['a'], entities: { table: 'x.y' }, to: 'x.z', shards: 2 };
  const staged = { name: 'b', features: ['a'], entities: { staged: '/rows.json' }, to: 'x.z' };
  test.each([
    ['nothing', null, 'the input of backfill is not right'],
    ['a wrong field', { ...range, veiw: 'a' }, '"veiw"'],
    ['no step', { view: 'a', start: '2001-01-01', end: '2001-01-02' }, '"step" must be given'],
    ['a step of months', { ...range, step: '1 month' }, 'months and years have no fixed length'],
    ['a step of months, short', { ...range, step: '1mo' }, 'months and years have no fixed length'],
    ['a step of months, ISO-8601', { ...range, step: 'P1M' }, 'months and years have no fixed length'],
    ['a step that does not divide the range', { ...range, step: '2d' }, '2001-01-09T00:00:00.000Z or 2001-01-11'],
    ['a start after the end', { ...range, start: '2001-02-01' }, 'Exchange start and end'],
    ['a time that is none', { ...range, end: 'tomorrow' }, '"tomorrow"'],
    ['no concurrency at all', { ...range, concurrency: 0 }, '"concurrency"'],
    ['a concurrency that would take all of a worker', { ...range, concurrency: 17 }, '"concurrency"'],
    ['an engine that is none', { ...range, engine: 'spark' }, '"engine"'],
    ['commits of nothing', { ...range, windowsPerCommit: 0 }, '"windowsPerCommit"'],
    [
      'neither a view nor a training set',
      { start: '2001-01-01', end: '2001-01-10', step: '1d' },
      '"view" must be given',
    ],
    ['a view and a training set', { ...range, trainingSet: { name: 'b' } }, 'either "view" or "trainingSet"'],
    ['a training set that is none', { ...range, view: undefined, trainingSet: { name: 'b' } }, '"entities"'],
    ['a training set in shards', { ...range, view: undefined, trainingSet: sharded }, '"shards"'],
    ['a training set of staged rows', { ...range, view: undefined, trainingSet: staged }, 'from a table'],
    ['a plan and a range', { ...range, plan: '/p.json' }, '"plan" cannot be combined'],
  ])('%s is refused with the reason and an example', (_, input, reason) => {
    const { code, message } = errorOf(() => parseBackfillRequest(input));
    expect(code).toBe('INVALID_ARGUMENT');
    expect(message).toContain(reason);
  });
});

describe('the settings of a backfill whose plan is given', () => {
  test('have the same defaults', () => {
    expect(parseBackfillSettings({})).toEqual({ concurrency: 2 });
    expect(parseBackfillSettings({ windowsPerCommit: 250 })).toEqual({ concurrency: 2, windowsPerCommit: 250 });
  });

  test.each([{ concurrency: 0 }, { concurrency: 17 }, { concurrency: Number.NaN }, { windowsPerCommit: 251 }])(
    'and the same bounds: %j',
    (settings) => {
      expect(errorOf(() => parseBackfillSettings(settings)).code).toBe('INVALID_ARGUMENT');
    },
  );
});
