/** What the log of answers does with answers that it cannot take: it counts them and says so once. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FoundRows } from '../../../online/index.js';
import { AnswerLog } from '../../../service/answer-log.js';
import { FeatureLab } from '../../support/feature-lab.js';

let lab: FeatureLab;
beforeAll(async () => {
  lab = await FeatureLab.open();
});
afterAll(() => lab.close());

/** An answer without features, but for those given. */
const found = (entities: number, features: FoundRows['features'] = []): FoundRows => {
  return { features, joinKeys: [], snapshots: [], views: [], entities, nowUs: 1n, stalenessMs: 0 };
};

/** Logs an answer for a service as the route does. @returns whether it was in the sample */
function answer(log: AnswerLog, service: string | undefined, rows: FoundRows): boolean {
  const entities = Array.from({ length: rows.entities }, () => ({}));
  const sent = log.sample({ service, features: undefined, entities }, rows);
  sent?.();
  return sent !== undefined;
}

it('counts answers that find the buffer full or cannot be logged, and says so once', async () => {
  const said: string[] = [];
  const deps = { catalog: lab.catalog, io: lab.io, engine: lab.engine, namespace: ['logs'] };
  const services = new Map([
    ['all', { sampleRate: 1 }],
    ['none', { sampleRate: 0 }],
  ]);
  const log = new AnswerLog(deps, services, { error: (_, message) => said.push(message) });
  const feature = { name: 'v', view: 'w', alias: 'w', feature: 'v', type: { kind: 'double' } } as const;
  expect(answer(log, 'none', found(1))).toBe(false);
  expect(answer(log, 'other', found(1))).toBe(false);
  expect(answer(log, undefined, found(1))).toBe(false);
  for (let time = 0; time < 2; time += 1) {
    expect(answer(log, 'all', found(100_001))).toBe(true);
    // The log would have two columns of the name.
    expect(answer(log, 'all', found(3, [feature, feature]))).toBe(true);
  }
  expect(log.stats.get('all')).toEqual({
    logged: 0,
    written: 0,
    buffered: 0,
    sampledOut: 0,
    dropped: 200_002,
    failed: 6,
  });
  expect(said).toEqual(['served features are dropped: too many wait to be logged', 'served features cannot be logged']);
  await log.close();
  expect(said.length).toBe(2);
});
