/** Training sets retrieved window by window: on real tables, against one retrieval of the whole range. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  commitTrainingWindows,
  parseBackfillPlan,
  planToText,
  planTrainingBackfill,
  requireCurrentTrainingPlan,
  segmentPage,
  stageTrainingWindow,
  storeTrainingBackfillPlan,
  type TrainingBackfillPlan,
  windowAt,
} from '../../../backfill/index.js';
import { defineEntity, defineFeatureView, type Moraine } from '../../../index.js';
import { datasetDeps } from '../../../project/index.js';
import { commitUpdates } from '../../../tables/index.js';
import { parseTrainingSetRequest, type TrainingDeps } from '../../../training/index.js';
import { rejectionCode } from '../../support/error-code.js';
import { MoraineFolder } from '../../support/moraine-folder.js';

const HOUR = 3_600_000_000n;
/** Eight hours of entity rows, of which two are left out at either end. */
const RANGE = { startUs: 2n * HOUR, endUs: 8n * HOUR, stepUs: HOUR };

let lab: MoraineFolder;
let moraine: Moraine;
let deps: TrainingDeps;

const time = (minutes: number): string => new Date(minutes * 60_000).toISOString();

/** Labels of every 20 minutes: on the edges of windows, two at one time, of unknown things, of none, and without a time. */
const LABELS = [
  ...Array.from({ length: 30 }, (_, i) => [String(i % 7), time(i * 20), `l${i}`]),
  ['1', time(180), 'twice'],
  ['1', time(180), 'twice'],
  ['99', time(200), 'unknown'],
  ['', time(200), 'nobody'],
  ['2', '', 'never'],
];

beforeAll(async () => {
  lab = await MoraineFolder.open();
  ({ moraine } = lab);
  const stats = Array.from({ length: 60 }, (_, i) => `${i % 6},${time(i * 10 + 5)},${i}.5`);
  await lab.append('shop.stats', ['k,at,v', ...stats]);
  // Two files, whose times overlap.
  await lab.append('shop.labels', [
    'k,event_timestamp,label',
    ...LABELS.filter((_, i) => i % 2 === 0).map((row) => row.join(',')),
  ]);
  await lab.append('shop.labels', [
    'k,event_timestamp,label',
    ...LABELS.filter((_, i) => i % 2 === 1).map((row) => row.join(',')),
  ]);
  const entity = defineEntity({ name: 'thing', joinKeys: ['k'] });
  const source = { table: 'shop.stats', timestampField: 'at' } as const;
  await moraine.apply([entity, defineFeatureView({ name: 'stats', entities: [entity], ttl: '2h', source })]);
  deps = await datasetDeps(moraine.project);
});
afterAll(() => lab.close());

const request = (name: string, more: object = {}) =>
  parseTrainingSetRequest({
    name,
    features: ['stats'],
    entities: { table: 'shop.labels' },
    to: `sets.${name}`,
    ...more,
  });

const planOf = (name: string, more: object = {}): Promise<TrainingBackfillPlan> =>
  planTrainingBackfill(deps, { trainingSet: request(name), ...RANGE, ...more });

/** Stages the windows of a plan and commits them in groups. */
async function run(plan: TrainingBackfillPlan, groupSize = 2, limit = 100): Promise<void> {
  await storeTrainingBackfillPlan(deps, plan);
  const { segments } = segmentPage(plan, 0, limit);
  for (let from = 0; from < segments.length; from += groupSize) {
    const group = [];
    for (const { first, last } of segments.slice(from, from + groupSize)) {
      const staged = await stageTrainingWindow(deps, plan, windowAt(plan, first, last));
      if (staged !== null) group.push(staged);
    }
    await commitTrainingWindows(deps, plan, group);
  }
}

/** The whole range, retrieved and saved at once from rows that SQL has chosen. */
async function saveWhole(name: string) {
  const [start, end] = [time(120), time(480)];
  const sql = `SELECT * FROM shop.labels WHERE event_timestamp >= '${start}' AND event_timestamp < '${end}'`;
  const saveAs = { name, to: { table: `sets.${name}` } };
  return moraine.saveDataset({ features: ['stats'], entities: { sql }, saveAs });
}

const windowKeys = async (table: string): Promise<readonly string[]> => {
  const { metadata } = await moraine.project.loadTable(table);
  return metadata.snapshots.flatMap(({ summary }) => summary.get('moraine.window-keys')?.split(' ') ?? []);
};

/** The feature row of each label, found by looking at all of them. */
function expectedRows(): readonly (readonly [string, string, number | null])[] {
  const us = (text: string): number => Date.parse(text);
  const stats = Array.from({ length: 60 }, (_, i) => ({ k: String(i % 6), at: (i * 10 + 5) * 60_000, v: i + 0.5 }));
  return LABELS.filter(([, at = '']) => at !== '' && us(at) >= us(time(120)) && us(at) < us(time(480))).map(
    ([k = '', at = '', label = '']) => {
      const known = stats.filter((row) => row.k === k && row.at <= us(at) && row.at >= us(at) - 7_200_000);
      return [at, label, known.toSorted((a, b) => b.at - a.at)[0]?.v ?? null] as const;
    },
  );
}

describe('a training set in windows', () => {
  test.each([
    ['oldest-first', 1],
    ['newest-first', 4],
  ] as const)(
    '%s, %i windows a commit: its rows, digest and replay are those of one retrieval',
    async (order, size) => {
      const name = `windows_${size}`;
      await run(await planOf(name, { order }), size);
      const whole = await saveWhole(`whole_${size}`);
      const { record } = await deps.datasets.get(name);
      expect([record.rows, record.digest]).toEqual([whole.rows, whole.digest]);
      const rows = await lab.rowsOf(`sets.${name}`);
      expect(rows).toEqual(await lab.rowsOf(`sets.whole_${size}`));
      const seen = rows.map((row) => JSON.parse(row) as { event_timestamp: string; label: string; v: number | null });
      const found = seen.map(({ event_timestamp: at, label, v }) => [new Date(at).toISOString(), label, v]);
      expect(found.map(String).sort()).toEqual(expectedRows().map(String).sort());
      expect(await moraine.replayDataset(name)).toMatchObject({ matches: true });
      const keys = await windowKeys(`sets.${name}`);
      expect([keys.length, new Set(keys).size]).toEqual([6, 6]);
    },
  );

  test('planned once, it reads what it has pinned, and goes on with that after it was left undone', async () => {
    const before = await saveWhole('before');
    await run(await planOf('halves'), 1, 3);
    expect(await rejectionCode(deps.datasets.get('halves'))).toBe('DATASET_NOT_FOUND');
    await lab.append('shop.stats', ['k,at,v', `1,${time(175)},1000.5`]);
    await lab.append('shop.labels', ['k,event_timestamp,label', `1,${time(300)},late`]);
    const again = await planOf('halves');
    expect(again.covered).toEqual({ wholly: 3, partly: 0 });
    await run(again, 2);
    const { record } = await deps.datasets.get('halves');
    expect([record.rows, record.digest]).toEqual([before.rows, before.digest]);
    // Once more: there is nothing left to do.
    await run(await planOf('halves'), 6);
    expect(await lab.rowsOf('sets.halves')).toEqual(await lab.rowsOf('sets.before'));
    expect(await windowKeys('sets.halves')).toHaveLength(6);
    // Another range, or another recipe, is other work.
    expect(await rejectionCode(planOf('halves', { endUs: 9n * HOUR }))).toBe('DATASET_ALREADY_EXISTS');
  });

  test('a window is committed once, whoever repeats it, and however often', async () => {
    const plan = await planOf('repeated');
    await storeTrainingBackfillPlan(deps, plan);
    const [first, second] = [windowAt(plan, 0), windowAt(plan, 1)];
    const staged = [
      await stageTrainingWindow(deps, plan, first),
      await stageTrainingWindow(deps, plan, first),
      await stageTrainingWindow(deps, plan, second),
    ].flatMap((window) => window ?? []);
    const groups = [staged.slice(0, 1), staged.slice(1), staged];
    await Promise.all(groups.map((group) => commitTrainingWindows(deps, plan, group)));
    const { outcomes } = await commitTrainingWindows(deps, plan, staged);
    expect(outcomes).toEqual(staged.map(() => 'already-committed'));
    expect(await windowKeys('sets.repeated')).toHaveLength(2);
    expect(await stageTrainingWindow(deps, plan, first)).toBeNull();
    expect((await lab.rowsOf('sets.repeated')).length).toBe(Number((staged[0]?.rows ?? 0n) + (staged[2]?.rows ?? 0n)));
  });

  test('a last commit that stops before the dataset is recorded: the run that finds its windows in the table records it', async () => {
    const plan = await planOf('unrecorded');
    await storeTrainingBackfillPlan(deps, plan);
    const windows = Array.from({ length: 6 }, (_, index) => windowAt(plan, index));
    const staged = [];
    for (const window of windows) staged.push(await stageTrainingWindow(deps, plan, window));
    const died = new Error('the worker died');
    const dying = { ...deps, datasets: { add: () => Promise.reject(died) } as unknown as TrainingDeps['datasets'] };
    const group = staged.flatMap((window) => window ?? []);
    await expect(commitTrainingWindows(dying, plan, group)).rejects.toBe(died);
    expect(await rejectionCode(deps.datasets.get('unrecorded'))).toBe('DATASET_NOT_FOUND');
    expect(await stageTrainingWindow(deps, plan, windowAt(plan, 5))).toBeNull();
    const { record } = await deps.datasets.get('unrecorded');
    expect(record.rows).toBe(group.reduce((sum, { rows }) => sum + rows, 0n));
  });

  test('rolled back, the windows that went are done again', async () => {
    const plan = await planOf('rolled');
    await run(plan, 3, 6);
    const table = await moraine.project.loadTable('sets.rolled');
    const [half] = table.metadata.snapshots;
    const ref = { type: 'branch', snapshotId: half?.snapshotId ?? 0n } as const;
    await commitUpdates(table, ({ currentSnapshotId }) =>
      currentSnapshotId === ref.snapshotId ? null : [{ action: 'set-snapshot-ref', refName: 'main', ref }],
    );
    expect((await planOf('rolled')).covered).toEqual({ wholly: 3, partly: 0 });
  });
});

describe('its plan', () => {
  test('has the windows of the entity rows, and is read back as it was written', async () => {
    const plan = await planOf('planned');
    expect(plan.windows.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(plan.source.table).toBe('shop.labels');
    expect(parseBackfillPlan(planToText(plan), 'plan.json')).toEqual(plan);
    expect(await rejectionCode(moraine.project.loadTable('sets.planned'))).toBe('TABLE_NOT_FOUND');
  });

  test('is refused when entity rows of its windows have come, not when other rows have', async () => {
    const plan = await planOf('stale');
    await lab.append('shop.labels', ['k,event_timestamp,label', `1,${time(6000)},elsewhere`]);
    await lab.append('shop.stats', ['k,at,v', `1,${time(185)},7.5`]);
    await requireCurrentTrainingPlan(deps, plan);
    await lab.append('shop.labels', ['k,event_timestamp,label', `1,${time(300)},inside`]);
    expect(await rejectionCode(requireCurrentTrainingPlan(deps, plan))).toBe('PLAN_STALE');
  });

  test('is refused when a definition has changed', async () => {
    const plan = await planOf('redefined');
    const entity = defineEntity({ name: 'thing', joinKeys: ['k'] });
    const source = { table: 'shop.stats', timestampField: 'at' } as const;
    const view = (ttl: '2h' | '3h') => defineFeatureView({ name: 'stats', entities: [entity], ttl, source });
    await moraine.apply([entity, view('3h')]);
    expect(await rejectionCode(requireCurrentTrainingPlan(deps, plan))).toBe('PLAN_STALE');
    await moraine.apply([entity, view('2h')]);
  });

  test('of what cannot be cut into windows, or is there already, there is none', async () => {
    const of = (more: object, range: object = {}) =>
      rejectionCode(planTrainingBackfill(deps, { trainingSet: request('wrong', more), ...RANGE, ...range }));
    expect(await of({ shards: 2 })).toBe('INVALID_ARGUMENT');
    expect(await of({}, { startUs: 8n * HOUR })).toBe('INVALID_ARGUMENT');
    expect(await of({}, { stepUs: 4n * HOUR })).toBe('INVALID_ARGUMENT');
    expect(await of({ to: 'shop.labels' })).toBe('TABLE_ALREADY_EXISTS');
    expect(await of({ entities: { table: 'shop.nothing' } })).toBe('TABLE_NOT_FOUND');
    expect(await of({ features: ['nothing'] })).toBe('FEATURE_VIEW_NOT_FOUND');
  });
});
