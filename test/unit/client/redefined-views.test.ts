/** Views that were redefined: what online reads answer until the next run, and what `apply` says. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planBackfill } from '../../../backfill/index.js';
import {
  createMoraine,
  defineEntity,
  defineFeatureService,
  defineFeatureView,
  type Moraine,
  type OnlineValue,
  parseSchema,
} from '../../../index.js';
import {
  commitCompaction,
  compactDirect,
  planCompaction,
  rewriteGroup,
  tidyManifests,
} from '../../../maintenance/index.js';
import { materializeDirect, planMaterialization } from '../../../materialization/index.js';
import { compactDeps, materializationDeps } from '../../../project/index.js';
import { failureOf } from '../../support/error-code.js';

type ViewInput = Parameters<typeof defineFeatureView>[0];

const COLUMNS = 'k: long, other: long, ts: timestamptz, later: timestamptz, created: timestamptz, v: long, w: long';
const SOURCE = { table: 'shop.a', timestampField: 'ts' } as const;
const FEATURES = [{ name: 'v' }, { name: 'w' }] as const;

const thing = defineEntity({ name: 'thing', joinKeys: ['k'] });
const otherThing = defineEntity({ name: 'other_thing', joinKeys: ['other'] });

/** The view as it is materialized at first, but for what is given. */
function view(more: Partial<ViewInput> = {}) {
  return defineFeatureView({
    name: 'readings',
    online: true,
    entities: [thing],
    source: SOURCE,
    features: FEATURES,
    ...more,
  });
}

let moraine: Moraine;
let folder: string;

async function apply(defined: ReturnType<typeof view>, client = moraine) {
  return (await client.apply([thing, otherThing, defined])).redefinedViews;
}

async function materialize() {
  return materializeDirect(await materializationDeps(moraine.project), { view: 'readings' });
}

/** Values of entity 1, which is entity 7 by the other key. */
async function read(features: readonly string[] = ['v', 'w'], more: Record<string, unknown> = {}, client = moraine) {
  const { rows } = await client.getOnlineFeatures({
    features: features.map((feature) => `readings:${feature}`),
    entities: [{ k: 1, other: 7 }],
    readTimeoutMs: 60_000,
    ...more,
  });
  return rows[0]?.map(({ value, status }: OnlineValue) => (status === 'PRESENT' ? Number(value) : status));
}

const refusal = (...changes: readonly string[]) => ({
  code: 'MATERIALIZATION_REQUIRED',
  message: `Feature view 'readings' was redefined since it was last materialized: ${changes.join('; ')}. Run \`moraine materialize readings\`.`,
  details: { view: 'readings', changes },
});

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-redefined-')));
  const config = { catalogs: { local: { uri: 'catalog.db', warehouse: 'warehouse' } }, engine: { threads: 1 } };
  moraine = await createMoraine({ cwd: folder, config, fileFolders: [folder] });
  const schema = parseSchema({
    type: 'struct',
    'schema-id': 0,
    fields: COLUMNS.split(', ').map((column, index) => {
      const [name = '', type = ''] = column.split(': ');
      return { id: index + 1, name, required: false, type };
    }),
  });
  const [first, second] = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'];
  for (const [table, v] of [
    ['shop.a', 10],
    ['shop.b', 99],
  ] as const) {
    await moraine.createTable(table, { schema });
    const row = { k: 1, other: 7, ts: first, later: second, created: first, v, w: v + 1 };
    writeFileSync(join(folder, 'rows.jsonl'), `${JSON.stringify(row)}\n`);
    await moraine.appendFile(table, join(folder, 'rows.jsonl'));
  }
  await apply(view());
  await materialize();
});
afterAll(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a view that was redefined', () => {
  it.each<[string, Partial<ViewInput>, readonly string[]]>([
    ['source', { source: { ...SOURCE, table: 'shop.b' } }, ['the source table was shop.a and is shop.b']],
    [
      'event time',
      { source: { ...SOURCE, timestampField: 'later' } },
      ['the column of event times was ts and is later'],
    ],
    [
      'created time',
      { source: { ...SOURCE, createdTimestampField: 'created' } },
      ['the column of created times was none and is created'],
    ],
    [
      "join key's column",
      { source: { ...SOURCE, fieldMapping: { other: 'k', k: 'unused' } } },
      ['the join key was k and is k (column other)'],
    ],
    [
      'mapping of features',
      { source: { ...SOURCE, fieldMapping: { w: 'v', v: 'w' } } },
      ["the column of feature 'v' was v and is w", "the column of feature 'w' was w and is v"],
    ],
  ])('in its %s is refused until it is materialized or defined as before', async (_, change, changes) => {
    const redefined = await apply(view(change));
    expect(await failureOf(read())).toMatchObject(refusal(...changes));
    expect(redefined).toEqual([{ view: 'readings', changes }]);
    expect(await apply(view())).toEqual([]);
    expect(await read()).toEqual([10, 11]);
  });

  it('in the column of one feature still answers the other', async () => {
    const changes = ["the column of feature 'v' was v and is other"];
    await apply(view({ source: { ...SOURCE, fieldMapping: { other: 'v', v: 'unused' } } }));
    expect(await failureOf(read(['v']))).toMatchObject(refusal(...changes));
    expect(await read(['w'])).toEqual([11]);
    await apply(view());
  });

  describe('and takes all columns', () => {
    const all = (fieldMapping: Record<string, string> = {}) =>
      defineFeatureView({ name: 'readings', online: true, entities: [thing], source: { ...SOURCE, fieldMapping } });
    const service = (...features: readonly string[]) =>
      defineFeatureService({ name: 'scores', features: features.map((name) => all().feature(name)) });
    const everything = async () => {
      const { features, rows } = await moraine.getOnlineFeatures({
        features: ['readings'],
        entities: [{ k: 1 }],
        readTimeoutMs: 60_000,
      });
      return features.map(({ name }, index) => [name, rows[0]?.[index]?.status]);
    };
    const byService = () =>
      moraine.getOnlineFeatures({ service: 'scores', entities: [{ k: 1 }], readTimeoutMs: 60_000 });
    const present = (...names: readonly string[]) => names.map((name) => [name, 'PRESENT']);
    const notFound = (name: string, list: string) => ({
      code: 'FEATURE_NOT_FOUND',
      message: `Feature view 'readings' has no materialized feature '${name}'. There are ${list}.`,
    });

    /** Changes the source's columns: names by field id. */
    async function renameColumns(names: ReadonlyMap<number, string>): Promise<void> {
      const catalog = await moraine.project.catalog();
      const { metadata } = await moraine.project.loadTable('shop.a');
      const first = metadata.schemas.find(({ schemaId }) => schemaId === 0);
      if (first === undefined) throw new Error('the first schema');
      const known = first.fields.map((field) => ({ ...field, name: names.get(field.id) ?? field.name }));
      const ids = new Set(known.map(({ id }) => id));
      const added = [...names].flatMap(([id, name]) =>
        ids.has(id) ? [] : [{ id, name, required: false, type: { kind: 'long' } } as const],
      );
      await catalog.commitTable(
        { namespace: ['shop'], name: 'a' },
        {
          requirements: [],
          updates: [
            { action: 'add-schema', schema: { ...first, schemaId: -1, fields: [...known, ...added] } },
            { action: 'set-current-schema', schemaId: -1 },
          ],
        },
      );
    }

    beforeAll(async () => {
      await apply(all());
      await materialize();
    });
    afterAll(async () => {
      await apply(view());
      await materialize();
      expect(await read()).toEqual([10, 11]);
    });

    it('of which one got another name is refused under either name until it is materialized', async () => {
      expect(await everything()).toEqual(present('other', 'later', 'created', 'v', 'w'));
      const [was, added] = ["the column of feature 'v' was v and is none", "feature 'velocity' was added"];
      expect(await apply(all({ v: 'velocity' }))).toEqual([{ view: 'readings', changes: [was, added] }]);
      await moraine.apply([service('velocity')]);
      expect(await failureOf(everything())).toMatchObject(refusal(was));
      expect(await failureOf(read(['v']))).toMatchObject(refusal(was));
      expect(await failureOf(read(['velocity']))).toMatchObject(refusal(added));
      expect(await failureOf(read(['velocity', 'w', 'v', 'absent', 'velocity']))).toMatchObject(refusal(was, added));
      expect(await failureOf(byService())).toMatchObject(refusal(added));
      const stored = "'other', 'later', 'created', 'v', 'w'";
      expect(await failureOf(read(['absent']))).toMatchObject(notFound('absent', stored));
      expect(await failureOf(read(['k']))).toMatchObject(notFound('k', stored));
      expect(await read(['w'])).toEqual([11]);
      await materialize();
      expect(await read(['velocity', 'w'])).toEqual([10, 11]);
      expect((await byService()).rows[0]).toMatchObject([{ status: 'PRESENT' }]);
      expect(await failureOf(read(['v']))).toMatchObject({ code: 'FEATURE_NOT_FOUND' });
      await moraine.apply([all(), service('v')]);
      await materialize();
    });

    it('refuses names that its source has got since, and answers the stored ones', async () => {
      await renameColumns(
        new Map([
          [6, 'velocity'],
          [8, 'x'],
        ]),
      );
      const changes = ["feature 'velocity' was added", "feature 'x' was added"];
      for (const [name, change] of [
        ['velocity', changes[0]],
        ['x', changes[1]],
      ] as const)
        expect(await failureOf(read([name]))).toMatchObject(refusal(change ?? ''));
      expect(await failureOf(read(['absent']))).toMatchObject({ code: 'FEATURE_NOT_FOUND' });
      expect(await read(['v', 'w'])).toEqual([10, 11]);
      expect(await apply(all())).toEqual([{ view: 'readings', changes }]);
      const reader = await createMoraine({ cwd: folder, config: moraine.project.config });
      try {
        const old = { maxStalenessMs: 3_600_000 };
        expect(await failureOf(read(['velocity'], old, reader))).toMatchObject(refusal(changes[0] ?? ''));
        await materialize();
        expect(await read(['velocity', 'w', 'x'], old, reader)).toEqual([10, 11, 'NULL_VALUE']);
        expect(await failureOf(read(['v'], old, reader))).toMatchObject({ code: 'FEATURE_NOT_FOUND' });
      } finally {
        await reader.close();
      }
      await renameColumns(new Map());
      await materialize();
    });

    it('where it took some before refuses the others', async () => {
      await apply(view());
      await materialize();
      const changes = ['other', 'later', 'created'].map((name) => `feature '${name}' was added`);
      expect(await apply(all())).toEqual([{ view: 'readings', changes }]);
      expect(await failureOf(read(['other']))).toMatchObject(refusal(changes[0] ?? ''));
      expect(await read()).toEqual([10, 11]);
    });
  });

  it('has no window that a backfill would call covered already', async () => {
    const deps = await materializationDeps(moraine.project);
    const range = { startUs: 0n, endUs: 86_400_000_000n, stepUs: 86_400_000_000n };
    const covered = async () => (await planBackfill(deps, { view: 'readings', ...range })).covered;
    expect(await covered()).toEqual({ wholly: 1, partly: 0 });
    await apply(view({ source: { ...SOURCE, timestampField: 'later' } }));
    expect(await covered()).toEqual({ wholly: 0, partly: 0 });
    await apply(view());
  });

  it('in what decides no stored value answers as before', async () => {
    const change = { ttl: '3650d', description: 'Readings.', tags: { owner: 'a' }, onlineBuckets: 3 } as const;
    expect(await apply(view(change as Partial<ViewInput>))).toEqual([]);
    expect(await read()).toEqual([10, 11]);
    await apply(view());
  });

  it('by a feature less and one more refuses the new one, also while the run is planned', async () => {
    const changes = ["feature 'later' was added"];
    expect(await apply(view({ features: [{ name: 'later' }, { name: 'v' }] }))).toEqual([
      { view: 'readings', changes },
    ]);
    const check = async () => {
      expect(await read(['v'])).toEqual([10]);
      expect(await failureOf(read(['later']))).toMatchObject(refusal(...changes));
    };
    await check();
    const deps = await materializationDeps(moraine.project);
    // Rows in several files, and some in one without a partition.
    for (const at of [3, 4, 5, 6]) {
      const rows = Array.from({ length: 8 }, (_, k) => ({ k: k + 2, v: at, w: at, ts: `2026-01-0${at}T00:00:00Z` }));
      await apply(view());
      await moraine.onlineWriteBatch({ view: 'readings', rows });
    }
    await apply(view({ features: [{ name: 'later' }, { name: 'v' }] }));
    const compactions = await compactDeps(moraine.project);
    const request = { table: 'moraine_online.readings', strategy: 'latest' } as const;
    const { planLocation } = await planCompaction(compactions, request);
    const group = await rewriteGroup(compactions, planLocation ?? '', 0);
    await planMaterialization(deps, { view: 'readings', attemptId: 'planned-only' });
    await check();
    // Nothing that rewrites rows or lists of files makes values of the new column.
    expect(await commitCompaction(compactions, planLocation ?? '', [group])).toMatchObject({
      committed: [],
      reason: expect.stringContaining('got other columns') as string,
    });
    const compacted = await compactDirect(compactions, request);
    expect(compacted).toMatchObject({
      snapshotId: null,
      skipped: [{ reason: expect.stringContaining('materialize the view first') as string }],
    });
    expect((await tidyManifests(moraine.project, 'moraine_online.readings')).snapshotId).not.toBeNull();
    await check();
    await apply(view());
    await materialize();
    expect(await read()).toEqual([10, 11]);
  });

  it('to another name of the same table answers as before', async () => {
    const catalog = await moraine.project.catalog();
    const [a, moved] = ['a', 'moved'].map((name) => ({ namespace: ['shop'], name }));
    if (a === undefined || moved === undefined) throw new Error('two names');
    await catalog.renameTable(a, moved);
    expect(await apply(view({ source: { ...SOURCE, table: 'shop.moved' } }))).toEqual([]);
    expect(await read()).toEqual([10, 11]);
    await catalog.renameTable(moved, a);
    await apply(view());
  });

  it('is read again as soon as another process has materialized it, however old the last check may be', async () => {
    const reader = await createMoraine({ cwd: folder, config: moraine.project.config });
    try {
      const old = { maxStalenessMs: 3_600_000 };
      expect(await read(['v'], old, reader)).toEqual([10]);
      await apply(view({ source: { ...SOURCE, table: 'shop.b' } }));
      // A value of before is no older than it may be, until the reader has looked beside its reads.
      const outcome = () => read(['v'], old, reader).catch(({ code }: { code: unknown }) => code);
      await expect.poll(outcome, { timeout: 20_000 }).toBe('MATERIALIZATION_REQUIRED');
      await materialize();
      expect(await read(['v'], old, reader)).toEqual([99]);
    } finally {
      await reader.close();
    }
  });

  it('that got a name or a feature is not refused because the last check is old', async () => {
    const reader = await createMoraine({ cwd: folder, config: moraine.project.config });
    const service = (name: string) => defineFeatureService({ name, features: [view().feature('w')] });
    const byService = async (name: string) => {
      const request = { service: name, entities: [{ k: 1 }], maxStalenessMs: 3_600_000, readTimeoutMs: 60_000 };
      return (await reader.getOnlineFeatures(request)).rows[0]?.map(({ value }) => value);
    };
    try {
      await moraine.apply([service('before')]);
      const first = await byService('before');
      await moraine.apply([service('after')]);
      expect(await byService('after')).toEqual(first);
      expect(await failureOf(byService('never'))).toMatchObject({ code: 'FEATURE_SERVICE_NOT_FOUND' });
    } finally {
      await reader.close();
    }
  });

  it('of which an earlier release recorded digests alone is compared by them', async () => {
    await apply(view());
    await materialize();
    const deps = await materializationDeps(moraine.project);
    const identifier = { namespace: ['moraine_online'], name: 'readings' };
    const { metadata } = await deps.catalog.loadTable(identifier);
    const progress = JSON.parse(metadata.properties.get('moraine.progress') ?? '') as {
      definition: { columns?: unknown };
    };
    delete progress.definition.columns;
    const updates = new Map([['moraine.progress', JSON.stringify(progress)]]);
    await deps.catalog.commitTable(identifier, {
      requirements: [{ type: 'assert-table-uuid', uuid: metadata.tableUuid }],
      updates: [{ action: 'set-properties', updates }],
    });
    expect(await read()).toEqual([10, 11]);
    expect(await apply(view({ features: [{ name: 'w' }, { name: 'v' }], ttl: '3650d' }))).toEqual([]);
    // Nor is it by an apply with these keys, which is refused: the keys in the registry are those of an earlier release's apply.
    for (const [change, text] of [
      [{ source: { ...SOURCE, table: 'shop.b' } }, 'the source table is another one'],
      [{ source: { ...SOURCE, timestampField: 'later' } }, 'the columns of event and created times changed'],
      [{ source: { ...SOURCE, fieldMapping: { w: 'v', v: 'w' } } }, 'the columns of the features changed'],
    ] as const) {
      expect(await apply(view(change as Partial<ViewInput>))).toEqual([{ view: 'readings', changes: [text] }]);
      expect(await failureOf(read())).toMatchObject(refusal(text));
    }
  });

  it('to an empty table answers that entities are missing once it is materialized', async () => {
    await moraine.createTable('shop.empty', {
      schema: (await moraine.project.loadTable('shop.a')).metadata.schemas[0] as never,
    });
    await apply(view({ source: { ...SOURCE, table: 'shop.empty' } }));
    expect(await failureOf(read())).toMatchObject({ code: 'MATERIALIZATION_REQUIRED' });
    await materialize();
    expect(await read()).toEqual(['NOT_FOUND', 'NOT_FOUND']);
    await apply(view());
    await materialize();
  });
});

describe('a view whose rows would be identified in another way', () => {
  const asText = defineEntity({ name: 'thing', joinKeys: ['k'] });
  const text = view({ source: { ...SOURCE, table: 'shop.text' }, entities: [asText] });
  const incompatible = (reason: string) => ({
    code: 'ONLINE_TABLE_INCOMPATIBLE',
    message: `The online table moraine_online.readings cannot hold rows of feature view 'readings' as it is defined now: ${reason}.`,
    details: { table: 'moraine_online.readings', view: 'readings' },
    remedy: expect.stringContaining('Run `moraine online teardown readings --yes`') as unknown,
  });
  const snapshot = async () => (await moraine.project.loadTable('moraine_online.readings')).metadata.currentSnapshotId;

  beforeAll(async () => {
    const [schema] = (await moraine.project.loadTable('shop.a')).metadata.schemas;
    const fields = schema?.fields.map((field) => (field.name === 'k' ? { ...field, type: { kind: 'string' } } : field));
    await moraine.createTable('shop.text', { schema: { ...schema, fields } as never });
    await moraine.onlineWriteBatch({ view: 'readings', rows: [{ k: 2, ts: '2026-01-03T00:00:00Z', v: 20, w: 21 }] });
  });

  it.each([
    ['other join keys', [view({ entities: [otherThing] })], 'its join keys are k, those of the view other'],
    [
      'an entity with other join keys',
      [defineEntity({ name: 'thing', joinKeys: ['k', 'other'] })],
      'its join keys are k, those of the view k, other',
    ],
    ['a join key of another type', [text], "its join key 'k' is long, that of the view string"],
  ])('by %s is refused by an apply, dry or not, and stays as it is', async (_, defined, reason) => {
    const before = [await snapshot(), await moraine.view('readings')];
    for (const dryRun of [true, false])
      expect(await failureOf(moraine.apply(defined as never, { dryRun }))).toMatchObject(incompatible(reason));
    expect([await snapshot(), await moraine.view('readings')]).toEqual(before);
    expect(await read()).toEqual([10, 11]);
  });

  it('does not hold up an apply of another view', async () => {
    expect((await moraine.apply([thing, view({ name: 'another' })])).plan.changes).toContainEqual(
      expect.objectContaining({ action: 'create', name: 'another' }),
    );
  });

  it('goes with its table where an apply may drop it, which its plan says', async () => {
    const defined = [otherThing, view({ entities: [otherThing] })];
    const expected = {
      droppedTables: ['moraine_online.readings'],
      redefinedViews: [{ view: 'readings', changes: ['the join key was k and is other'] }],
    };
    expect(await moraine.apply(defined, { dryRun: true, prune: true })).toMatchObject(expected);
    expect(await read()).toEqual([10, 11]);
    expect(await moraine.apply(defined, { prune: true })).toMatchObject(expected);
    expect(await failureOf(read())).toMatchObject({ code: 'TABLE_NOT_FOUND' });
    await materialize();
    expect(await read()).toEqual([10, 11]);
    // The row that was pushed under the old key is gone, as the plan said.
    expect(await read(['v'], { entities: [{ other: 2 }] })).toEqual(['NOT_FOUND']);
  });

  it('has a new table after a teardown', async () => {
    await moraine.teardownOnline({ views: ['readings'] });
    expect(await apply(view())).toEqual([]);
    await materialize();
    expect(await read()).toEqual([10, 11]);
  });
});
