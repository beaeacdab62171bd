import { describe, expect, test } from 'vitest';
import { MoraineError } from '../../../errors/index.js';
import {
  collectDefinitions,
  defineEntity,
  defineFeatureView,
  parseDefinitions,
  planApply,
  type RegistryState,
  resolveView,
  type ViewSchedule,
} from '../../../features/index.js';
import { parseType } from '../../../iceberg/index.js';

const entities = [{ name: 'sensor', joinKeys: ['sensor'] }];
const viewWith = (schedule: unknown, online = true) => ({
  name: 'readings',
  entities: ['sensor'],
  source: { table: 'demo.readings', timestampField: 'event_ts' },
  online,
  ...(schedule === undefined ? {} : { schedule }),
});
const parse = (schedule: unknown, online = true) =>
  parseDefinitions([{ value: { entities, featureViews: [viewWith(schedule, online)] } }]);
const scheduleOf = (written: unknown): ViewSchedule | undefined =>
  parse(written).featureViews.get('readings')?.schedule;

function problems(schedule: unknown, online = true): readonly string[] {
  try {
    parse(schedule, online);
  } catch (error) {
    if (error instanceof MoraineError) return error.details['problems'] as readonly string[];
    throw error;
  }
  return [];
}

describe('the schedule of a view', () => {
  test('is read in milliseconds; runs are incremental unless said otherwise', () => {
    expect(scheduleOf({ every: '1h' })).toEqual({ everyMs: 3_600_000n, runs: 'incremental' });
    expect(
      scheduleOf({
        every: 'P1D',
        offset: '5m',
        runs: 'window',
        overlap: 'allow-all',
        catchUp: '7d',
        jitter: '90s',
        paused: true,
      }),
    ).toEqual({
      everyMs: 86_400_000n,
      offsetMs: 300_000n,
      runs: 'window',
      overlap: 'allow-all',
      catchUpMs: 604_800_000n,
      jitterMs: 90_000n,
      paused: true,
    });
  });

  test.each([
    [{ every: '0s' }, 'every: must be whole seconds, at least 1s'],
    [{ every: '1500ms' }, 'every: must be whole seconds, at least 1s'],
    [{ every: 'hourly' }, "every: 'hourly' is not a duration; write for example '90s', '15m', '6h', '1d' or 'PT6H'"],
    [{ every: '1h', offset: '1h' }, 'offset: must be less than 1h, the time between two ticks'],
    [{ every: '1h', jitter: '361s' }, 'jitter: must be at most a tenth of the time between two ticks, 6m'],
    [{ every: '1h', catchUp: '9s' }, 'catchUp: must be at least 10s'],
    [{ every: '1h', evry: '1h' }, "evry: unknown key. Did you mean 'every'?"],
  ])('%j is refused: %s', (written, problem) => {
    expect(problems(written)).toEqual([`featureViews.readings.schedule.${problem}`]);
  });

  test('needs an online view', () => {
    expect(problems({ every: '1h' }, false)).toEqual([
      'featureViews.readings.schedule: needs online: true, since it writes the online table',
    ]);
  });

  test('reads the same from TypeScript', () => {
    const sensor = defineEntity({ name: 'sensor', joinKeys: ['sensor'] });
    const readings = defineFeatureView({
      name: 'readings',
      entities: [sensor],
      source: { table: 'demo.readings', timestampField: 'event_ts' },
      online: true,
      schedule: { every: '15m', runs: 'window' },
    });
    const value = collectDefinitions([sensor, readings]);
    expect(parseDefinitions([{ value }]).featureViews.get('readings')?.schedule).toEqual({
      everyMs: 900_000n,
      runs: 'window',
    });
  });

  test('that changes is a change of the definition, but not of what is materialized', () => {
    const state: RegistryState = {
      snapshotId: 1n,
      definitions: parse({ every: '1h' }),
      versions: new Map(),
      formerNames: new Map(),
    };
    const { changes } = planApply(state, parse({ every: '2h', offset: '5m' }));
    expect(changes.map(({ action, name }) => [action, name])).toEqual([
      ['unchanged', 'sensor'],
      ['change', 'readings'],
    ]);
    expect(changes[1]?.fields).toEqual([
      { path: 'schedule.every', before: '"1h"', after: '"2h"' },
      { path: 'schedule.offset', before: null, after: '"5m"' },
    ]);
    const field = (id: number, name: string, type: string) => ({ id, name, required: false, type: parseType(type) });
    const fields = [field(1, 'sensor', 'long'), field(2, 'event_ts', 'timestamptz'), field(3, 'reading', 'double')];
    const schema = { schemaId: 0, identifierFieldIds: [], fields };
    const hashes = [undefined, { every: '1h' }, { every: '5s', runs: 'window' }].map(
      (written) => resolveView(parse(written), 'readings', schema).definitionHash,
    );
    expect(new Set(hashes).size).toBe(1);
  });
});
