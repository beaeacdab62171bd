/** Checks of `moraine doctor`: whether Trino has the tables that it may be asked to read, and may write beside them. */
import { parseTableName } from '../catalogs/index.js';
import type { MoraineConfig } from '../config/index.js';
import { MoraineError } from '../errors/index.js';
import type { Definitions, FeatureView } from '../features/index.js';
import { enginesOf, type Project } from '../project/index.js';
import type { Finding } from './finding.js';

/** A check that is still to be made. */
interface TrinoCheck {
  readonly name: string;
  look(): Promise<Finding>;
}

/** @param definitions what is registered */
export function trinoChecks(
  project: Project,
  { featureViews }: Pick<Definitions, 'featureViews'>,
): readonly TrinoCheck[] {
  const { config } = project;
  const views = [...featureViews.values()];
  if (config.trino === null) {
    const asking = views.filter(({ engine }) => engine === 'trino').map(({ name }) => name);
    return asking.length === 0 ? [] : [{ name: 'Trino', look: () => Promise.reject(unknownPlace(asking)) }];
  }
  const { uri } = config.trino;
  return catalogsForTrino(config, views).map((name) => ({
    name: `Trino for catalog ${name}`,
    look: async () => {
      const { trino } = await enginesOf(project);
      const { version, named } = (await trino?.probe(await project.catalog(name))) ?? {};
      return { detail: `${uri} ${version}, catalog ${named}: a row was written and read` };
    },
  }));
}

function unknownPlace(views: readonly string[]): MoraineError {
  const message = `Feature views ask for Trino (${views.join(', ')}), but it is not said where Trino is: set trino.uri.`;
  return new MoraineError('CONFIG_INVALID', message);
}

/** The catalogs that Trino may be asked about: those that are mapped, and those of sources that it may read. */
export function catalogsForTrino(
  { catalogs, defaultCatalog, engine, trino }: Pick<MoraineConfig, 'catalogs' | 'defaultCatalog' | 'engine' | 'trino'>,
  views: readonly Pick<FeatureView, 'engine' | 'source'>[],
): readonly string[] {
  const ofSources = views.flatMap((view) => {
    const { catalog = defaultCatalog } = parseTableName(view.source.table);
    const type = view.engine ?? engine.type;
    // What is only read, `auto` leaves to DuckDB.
    const isLeft = type === 'duckdb' || (type === 'auto' && catalogs.get(catalog)?.type === 'trino');
    return isLeft ? [] : [catalog];
  });
  const names = new Set([...(trino?.catalogs.keys() ?? []), ...ofSources]);
  return names.size === 0 ? [defaultCatalog] : [...names];
}
