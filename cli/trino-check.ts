/** Checks of `moraine doctor`: whether Trino has the tables that it may be asked to read, and may write beside them. */
import { parseTableName } from '../catalogs/index.js';
import type { MoraineConfig } from '../config/index.js';
import { countedText, MoraineError } from '../errors/index.js';
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
  const sources = sourcesForTrino(config, views);
  return catalogsForTrino(config, views).map((name) => ({
    name: `Trino for catalog ${name}`,
    look: async () => {
      const { trino } = await enginesOf(project);
      const [catalog, engine] = [await project.catalog(name), await project.engine()];
      const own = sources.filter((source) => source.catalog === name);
      const probe = await engine.withConnection(async (connection) => await trino?.probe(connection, catalog, own));
      const { version, named, sources: read = 0, warning } = probe ?? {};
      const seen = read === 0 ? '' : `, and ${countedText(read, 'source')} can be read`;
      const detail = `${uri} ${version}, catalog ${named}: a row was written and read${seen}`;
      return warning === undefined ? { detail } : { detail, warning };
    },
  }));
}

function unknownPlace(views: readonly string[]): MoraineError {
  const message = `Feature views ask for Trino (${views.join(', ')}), but it is not said where Trino is: set trino.uri.`;
  return new MoraineError('CONFIG_INVALID', message);
}

type EngineConfig = Pick<MoraineConfig, 'catalogs' | 'defaultCatalog' | 'engine' | 'trino'>;
type ReadView = Pick<FeatureView, 'engine' | 'source'>;

/** The catalogs that Trino may be asked about: those that are mapped, and those of sources that it may read. */
export function catalogsForTrino(config: EngineConfig, views: readonly ReadView[]): readonly string[] {
  const ofSources = sourcesForTrino(config, views).map(({ catalog }) => catalog);
  const names = new Set([...(config.trino?.catalogs.keys() ?? []), ...ofSources]);
  return names.size === 0 ? [config.defaultCatalog] : [...names];
}

/** The sources that Trino may read, each once, and whether it is asked to rather than chosen by size. */
export function sourcesForTrino({ catalogs, defaultCatalog, engine }: EngineConfig, views: readonly ReadView[]) {
  const found = new Map<string, { readonly name: string; readonly catalog: string; readonly isAsked: boolean }>();
  for (const view of views) {
    const name = view.source.table;
    const { catalog = defaultCatalog } = parseTableName(name);
    const type = view.engine ?? engine.type;
    // What is only read, `auto` leaves to DuckDB.
    const isLeft = type === 'duckdb' || (type === 'auto' && catalogs.get(catalog)?.type === 'trino');
    const isAsked = type === 'trino' || found.get(name)?.isAsked === true;
    if (!isLeft) found.set(name, { name, catalog, isAsked });
  }
  return [...found.values()];
}
