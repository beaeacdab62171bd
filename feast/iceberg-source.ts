/** Feast data sources that are Iceberg tables. */
import { z } from 'zod';
import type { FeastDataSource } from './registry-proto.js';

/** Feast's `DataSource.SourceType` (DataSource.proto), in words. */
const SOURCE_TYPES: ReadonlyMap<number, string> = new Map([
  [1, 'file source'],
  [2, 'BigQuery source'],
  [3, 'Kafka source'],
  [4, 'Kinesis source'],
  [5, 'Redshift source'],
  [6, 'custom source'],
  [7, 'request source'],
  [8, 'Snowflake source'],
  [9, 'push source'],
  [10, 'Trino source'],
  [11, 'Spark source'],
  [12, 'Athena source'],
  [13, 'Iceberg source'],
]);
const CUSTOM = 6;
const PUSH = 9;
const ICEBERG = 13;

/** Where an Iceberg table of Feast's is. */
export interface IcebergTableReference {
  readonly namespace: readonly string[];
  readonly table: string;
  /** Undefined: the offline store's. */
  readonly catalog: CatalogReference | undefined;
}

/** How Feast opens a catalog: the arguments of PyIceberg's `load_catalog`. */
export interface CatalogReference {
  readonly type: string;
  readonly name: string;
  readonly uri: string | undefined;
  readonly warehouse: string | undefined;
  /** What variables are named after that take the places of secrets; the catalog unless given. */
  readonly place?: string;
  /** The variable of the environment that Feast takes a token from when it opens the catalog. */
  readonly tokenVariable?: string;
  /** Everything else; may hold secrets. */
  readonly properties: ReadonlyMap<string, string>;
}

const configuration = z.looseObject({
  catalog_type: z.string().default('rest'),
  catalog_name: z.string().default('feast_iceberg'),
  endpoint: z.string().nullish(),
  warehouse: z.string().nullish(),
  token_env_var: z.string().nullish(),
  namespace: z.string().nullish(),
  table: z.string().nullish(),
  table_identifier: z.string().nullish(),
  catalog_properties: z
    .preprocess((value) => new Map(Object.entries(value ?? {})), z.map(z.string(), z.coerce.string()))
    .optional(),
});

/** A source's kind in words, such as `file source`. */
export function sourceKind(source: FeastDataSource): string {
  return SOURCE_TYPES.get(source.type) ?? 'data source of an unknown kind';
}

/** The name of a source whose rows clients push; undefined for any other. */
export function pushSourceName(source: FeastDataSource | null): string | undefined {
  return source?.type === PUSH ? source.name : undefined;
}

/**
 * The table of an Iceberg source: Feast's own `IcebergSource` (`infra/data_sources/contrib/iceberg_catalog`), or a custom
 * source of that name that gives a `table_identifier` in the offline store's catalog. Undefined for any other source.
 */
export function icebergTable(
  source: FeastDataSource,
  defaultNamespace: string | undefined,
): IcebergTableReference | undefined {
  const isIceberg =
    source.type === ICEBERG || (source.type === CUSTOM && source.data_source_class_type.endsWith('IcebergSource'));
  const options = isIceberg ? readConfiguration(source) : undefined;
  if (options === undefined) return undefined;
  const identifier = options.table_identifier ?? undefined;
  if (identifier !== undefined && identifier !== '') {
    const levels = identifier.split('.');
    const table = levels.pop() ?? '';
    return { namespace: levels.length > 0 ? levels : levelsOf(defaultNamespace), table, catalog: undefined };
  }
  if (!options.table) return undefined;
  const properties = options.catalog_properties ?? new Map<string, string>();
  return {
    namespace: levelsOf(options.namespace),
    table: options.table,
    catalog: {
      type: properties.get('type') ?? options.catalog_type,
      name: options.catalog_name,
      uri: properties.get('uri') ?? (options.endpoint || undefined),
      warehouse: properties.get('warehouse') ?? (options.warehouse || undefined),
      ...(options.token_env_var ? { tokenVariable: options.token_env_var } : {}),
      properties: new Map([...properties].filter(([key]) => !['type', 'uri', 'warehouse'].includes(key))),
    },
  };
}

function levelsOf(namespace: string | null | undefined): readonly string[] {
  return (namespace ?? '').split('.').filter((level) => level !== '');
}

function readConfiguration(source: FeastDataSource): z.infer<typeof configuration> | undefined {
  try {
    const text = new TextDecoder().decode(source.custom_options?.configuration);
    return configuration.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
