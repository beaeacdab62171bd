/** The logger: batches, bounded buffer, sampling, and one commit for each batch whatever happens to the answer of a commit. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Catalog } from '../../../catalogs/index.js';
import { MoraineError } from '../../../errors/index.js';
import { FeatureLogger, isSampled, type LogDeps, writeLoggedFeatures } from '../../../logging/index.js';
import type { OnlineResponse } from '../../../online/index.js';
import { codeOf, rejectionCode } from '../../support/error-code.js';
import { FeatureLab } from '../../support/feature-lab.js';

const DOUBLE = { kind: 'double' } as const;

/** An answer of one view with one feature, for as many sensors as there are values. */
function served(values: readonly (number | null)[], requestId?: string) {
  const response: OnlineResponse = {
    features: [{ name: 'v', view: 'readings', alias: 'readings', feature: 'v', type: DOUBLE }],
    joinKeys: [{ name: 'sensor', type: { kind: 'long' } }],
    rows: values.map((value) => [{ status: value === null ? 'NULL_VALUE' : 'PRESENT', value, eventTimestampUs: 5n }]),
    snapshots: [{ view: 'readings', table: 'moraine_online.readings', snapshotId: 77n }],
    nowUs: 1_000_000n,
    stalenessMs: 0,
  };
  const entities = values.map((_, sensor) => ({ sensor }));
  return { response, entities, ...(requestId === undefined ? {} : { requestId }) };
}

let lab: FeatureLab;
beforeAll(async () => {
  lab = await FeatureLab.open();
});
afterAll(() => lab.close());

const deps = (catalog: Catalog = lab.catalog): LogDeps => {
  return { catalog, io: lab.io, engine: lab.engine, namespace: ['logs'] };
};

/** Values in the log and its number of commits. */
async function logged(service: string) {
  const table = await lab.table(`logs.${service}_log`);
  const files = await lab.historical({
    features: ['anything:v'],
    entities: {
      query: { sql: `SELECT sensor, event_timestamp, readings__v AS value FROM logs.${service}_log ORDER BY value` },
    },
  });
  return { values: files.rows.map(({ value }) => value), commits: table.metadata.snapshots.length };
}

/** The catalog, with one method replaced while `broken` is set. */
function unreliable(replace: Partial<Catalog>): { readonly catalog: Catalog; broken: boolean } {
  const state = { broken: true, catalog: lab.catalog };
  state.catalog = new Proxy(lab.catalog, {
    get: (target, name: keyof Catalog) => {
      const own: unknown = Reflect.get(state.broken && name in replace ? replace : target, name);
      return typeof own === 'function' ? (own.bind(target) as unknown) : own;
    },
  });
  return state;
}

describe('a feature logger', () => {
  beforeAll(async () => {
    // `logged` reads through retrieval, which wants a view: one of an empty table.
    await lab.createTable('demo.anything', { sensor: 'long', event_ts: 'timestamptz', v: 'double' });
    lab.define({
      entities: [{ name: 'sensor', joinKeys: ['sensor'] }],
      featureViews: [
        { name: 'anything', entities: ['sensor'], source: { table: 'demo.anything', timestampField: 'event_ts' } },
      ],
    });
  });

  it('writes a batch when it is full, and the rest when it is closed', async () => {
    const logger = new FeatureLogger(deps(), 'batches', { batchRows: 3 });
    expect(logger.log(served([1, 2]))).toBe(true);
    expect(logger.stats).toEqual({ logged: 2, written: 0, buffered: 2, sampledOut: 0, dropped: 0, failed: 0 });
    logger.log(served([3]));
    logger.log(served([4]));
    await logger.close();
    expect(logger.stats).toEqual({ logged: 4, written: 4, buffered: 0, sampledOut: 0, dropped: 0, failed: 0 });
    expect(await logged('batches')).toEqual({ values: [1, 2, 3, 4], commits: 2 });
    expect(() => logger.log(served([5]))).toThrow('The feature logger is closed.');
  });

  it('writes by itself after the interval', async () => {
    const logger = new FeatureLogger(deps(), 'interval', { flushIntervalMs: 1 });
    logger.log(served([1]));
    await vi.waitFor(() => expect(logger.stats.written).toBe(1), { timeout: 20_000 });
    await logger.close();
    expect(await logged('interval')).toEqual({ values: [1], commits: 1 });
  });

  it('drops and counts what finds the buffer full, or refuses it', async () => {
    const options = { bufferRows: 2, flushIntervalMs: 100_000 };
    const dropping = new FeatureLogger(deps(), 'full', options);
    expect(dropping.log(served([1, 2]))).toBe(true);
    expect(dropping.log(served([3]))).toBe(false);
    expect(dropping.stats).toMatchObject({ logged: 2, dropped: 1 });
    await dropping.flush();
    expect(dropping.log(served([4]))).toBe(true);
    await dropping.close();
    expect((await logged('full')).values).toEqual([1, 2, 4]);
    const strict = new FeatureLogger(deps(), 'full', { ...options, onFull: 'error' });
    expect(codeOf(() => strict.log(served([1, 2, 3])))).toBe('LIMIT_EXCEEDED');
    await strict.close();
  });

  it('commits a batch once though the answer of its commit was lost', async () => {
    const lost = new MoraineError('COMMIT_STATE_UNKNOWN', 'the connection was closed');
    const unseen = new MoraineError('STORAGE_UNAVAILABLE', 'the catalog cannot be reached');
    let commits = 0;
    const state = unreliable({
      commitTable: async (identifier, request) => {
        commits += 1;
        await lab.catalog.commitTable(identifier, request);
        throw lost;
      },
      loadTable: (identifier) => (commits > 0 ? Promise.reject(unseen) : lab.catalog.loadTable(identifier)),
    });
    const logger = new FeatureLogger(deps(state.catalog), 'lost', { flushIntervalMs: 100_000 });
    logger.log(served([1, 2]));
    expect(await rejectionCode(logger.flush())).toBe('COMMIT_STATE_UNKNOWN');
    expect(logger.stats).toMatchObject({ written: 0, buffered: 2, failed: 0 });
    state.broken = false;
    await logger.flush();
    expect(commits).toBe(1);
    expect(logger.stats).toMatchObject({ written: 2, buffered: 0 });
    expect(await logged('lost')).toEqual({ values: [1, 2], commits: 1 });
    await logger.close();
  });

  it('keeps a batch for the next time while storage is away, and says so', async () => {
    const away = new MoraineError('STORAGE_UNAVAILABLE', 'the catalog cannot be reached');
    const state = unreliable({ tableExists: () => Promise.reject(away) });
    const errors: unknown[] = [];
    const onError = (error: unknown): void => void errors.push(error);
    const logger = new FeatureLogger(deps(state.catalog), 'away', { batchRows: 1, flushIntervalMs: 100_000, onError });
    logger.log(served([1]));
    await vi.waitFor(() => expect(errors).toEqual([away]));
    expect(await rejectionCode(logger.close())).toBe('STORAGE_UNAVAILABLE');
    state.broken = false;
    await logger.close();
    expect(logger.stats).toMatchObject({ written: 1, buffered: 0 });
    expect(await logged('away')).toEqual({ values: [1], commits: 1 });
  });

  it('gives up a batch that can never be written, and goes on with the next', async () => {
    await writeLoggedFeatures(deps(), 'poison', [served([1])]);
    const logger = new FeatureLogger(deps(), 'poison', { flushIntervalMs: 100_000 });
    const wrong = served([2]);
    const [feature] = wrong.response.features;
    const features = feature === undefined ? [] : [{ ...feature, type: { kind: 'string' } as const }];
    logger.log({ ...wrong, response: { ...wrong.response, features } });
    expect(await rejectionCode(logger.flush())).toBe('TYPE_MISMATCH');
    logger.log(served([3]));
    await logger.close();
    expect(logger.stats).toMatchObject({ logged: 2, written: 1, failed: 1, buffered: 0 });
    expect((await logged('poison')).values).toEqual([1, 3]);
  });

  it('decides by the request id what is in the sample', () => {
    const logger = new FeatureLogger(deps(), 'sample', { sampleRate: 0.25, flushIntervalMs: 100_000 });
    const ids = Array.from({ length: 1000 }, (_, index) => `request ${index}`);
    const taken = ids.filter((id) => isSampled(id, 0.25));
    for (const id of ids) expect(logger.log(served([1], id))).toBe(taken.includes(id));
    expect(logger.stats).toMatchObject({ logged: taken.length, sampledOut: 1000 - taken.length });
    // 1,000 draws of 1/4: 250, five standard deviations are 69.
    expect(Math.abs(taken.length - 250)).toBeLessThan(69);
    expect(ids.filter((id) => isSampled(id, 0))).toEqual([]);
    expect(ids.filter((id) => isSampled(id, 1))).toEqual(ids);
    // Who is in a smaller sample is in a larger one.
    expect(ids.filter((id) => isSampled(id, 0.1) && !isSampled(id, 0.25))).toEqual([]);
  });

  it.each([
    ['sampleRate', 1.1],
    ['sampleRate', Number.NaN],
    ['batchRows', 0],
    ['bufferRows', 1.5],
    ['flushIntervalMs', 0],
  ])('refuses %s %d', (name, value) => {
    expect(() => new FeatureLogger(deps(), 'options', { [name]: value })).toThrow(`${name} is ${value}; it must be`);
  });

  it('writes the same run key once', async () => {
    const first = await writeLoggedFeatures(deps(), 'keyed', [served([1])], 'job 1');
    const again = await writeLoggedFeatures(deps(), 'keyed', [served([1])], 'job 1');
    expect([first.outcome, again.outcome]).toEqual(['committed', 'already-committed']);
    expect(again.snapshotId).toBe(first.snapshotId);
    expect(await logged('keyed')).toEqual({ values: [1], commits: 1 });
  });
});
