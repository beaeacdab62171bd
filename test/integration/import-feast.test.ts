/** Repositories that the real Feast applies afresh are imported: definitions are those that Feast tells, and so are the rows. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseYamlSource } from '../../config/index.js';
import { parseDefinitions, parseDurationMs } from '../../features/index.js';
import { jsonLines, moraineOk } from '../support/cli.js';
import { feastProgram } from '../support/feast.js';
import { describeInterop } from '../support/python.js';
import { temporaryFolder } from '../support/temp-folder.js';

interface Described {
  readonly description: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly owner: string;
}

/** The output of test/interop/programs/describe_feast.py. */
interface FeastDescription {
  readonly entities: readonly (Described & { readonly name: string; readonly joinKeys: readonly string[] })[];
  readonly views: readonly (Described & {
    readonly name: string;
    readonly entities: readonly string[];
    readonly ttlMs: number;
    readonly online: boolean;
    readonly pushSource: string | null;
    readonly features: readonly string[];
    readonly table: string;
    readonly timestampField: string;
    readonly created: string;
    readonly fieldMapping: Readonly<Record<string, string>>;
  })[];
  readonly services: readonly (Described & {
    readonly name: string;
    readonly features: readonly {
      readonly view: string;
      readonly alias: string;
      readonly features: readonly string[];
      readonly joinKeyMap: Readonly<Record<string, string>>;
    }[];
  })[];
  readonly rows: readonly unknown[];
}

/** Views of test/fixtures/feast/repository/definitions.py whose rows are in Iceberg tables of a SQL catalog, as they are. */
const IMPORTED = ['driver_hourly_stats', 'driver_profile', 'fuel_price', 'pushed_stats', 'route_stats', 'zone_demand'];

const ENTITIES = `driver_id,event_timestamp
1,2026-03-01T12:00:00Z
1,2026-03-01T05:59:59Z
2,2026-03-02T06:00:00Z
3,2026-03-02T12:00:01Z
9,2026-03-01T12:00:00Z
`;

/** Feast's words for a definition as ours: the owner is a tag, and what is empty is left out. */
function common({ description, tags, owner }: Described) {
  const all = new Map(Object.entries({ ...tags, ...(owner === '' ? {} : { owner }) }));
  return { ...(description === '' ? {} : { description }), ...(all.size === 0 ? {} : { tags: all }) };
}

describeInterop('a repository of the real Feast, made now', () => {
  it.each(['file', 'sql'])('with a registry of type %s', async (registry) => {
    const folder = temporaryFolder();
    const repository = join(folder, 'feature_repo');
    await feastProgram('test/fixtures/feast/make_repository.py', repository, registry);
    expect(existsSync(join(repository, 'registry.db'))).toBe(registry === 'file');
    const feast = await feastProgram<FeastDescription>('test/interop/programs/describe_feast.py', repository);

    await moraineOk(['import', 'feast', 'feature_repo', '--out', 'rides'], { cwd: folder });
    const cwd = join(folder, 'rides');
    const { entities, featureViews, featureServices } = parseDefinitions([
      { value: parseYamlSource(readFileSync(join(cwd, 'features.yaml'), 'utf8')).value },
    ]);
    expect([...entities.values()]).toEqual(
      feast.entities.map((entity) => ({ name: entity.name, ...common(entity), joinKeys: entity.joinKeys })),
    );
    expect(
      [...featureViews.values()].map((view) => ({
        ...view,
        ttlMs: view.ttlMs ?? 0n,
        features: view.features?.map((feature) => feature.name),
      })),
    ).toEqual(
      feast.views
        .filter((view) => IMPORTED.includes(view.name))
        .map((view) => ({
          name: view.name,
          ...common(view),
          ...(view.pushSource === null ? {} : { pushSource: view.pushSource }),
          entities: view.entities,
          source: {
            table: view.table,
            timestampField: view.timestampField,
            ...(view.created === '' ? {} : { createdTimestampField: view.created }),
            ...(Object.keys(view.fieldMapping).length === 0
              ? {}
              : { fieldMapping: new Map(Object.entries(view.fieldMapping)) }),
          },
          ttlMs: parseDurationMs(`${view.ttlMs}ms`),
          online: view.online,
          features: view.features,
        })),
    );
    const featuresOf = (name: string) => featureViews.get(name)?.features?.map((feature) => feature.name);
    expect(
      [...featureServices.values()].map(({ features, ...service }) => ({
        ...service,
        features: features.map((reference) => ({
          view: reference.view,
          alias: reference.alias ?? '',
          features: reference.features ?? featuresOf(reference.view),
          joinKeyMap: Object.fromEntries(reference.joinKeyMap ?? []),
        })),
      })),
    ).toEqual(
      feast.services
        .filter((service) => service.features.every(({ view }) => IMPORTED.includes(view)))
        .map((service) => ({ name: service.name, ...common(service), features: service.features })),
    );

    await moraineOk(['apply'], { cwd });
    writeFileSync(join(cwd, 'entities.csv'), ENTITIES);
    const features = 'driver_hourly_stats:conv_rate,driver_hourly_stats:acc_rate,driver_hourly_stats:avg_daily_trips';
    const rows = jsonLines(
      await moraineOk(['features', 'historical', '--features', features, '--entities', 'entities.csv'], { cwd }),
    );
    expect(rows.map((row) => ({ ...(row as object), event_timestamp: undefined }))).toEqual(feast.rows);
    expect(feast.rows.filter((row) => Reflect.get(row as object, 'conv_rate') === null)).toHaveLength(2);
  });
});
