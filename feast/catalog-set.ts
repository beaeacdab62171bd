/** The catalogs that a Feast repository names, as catalogs of `moraine.yaml`. */
import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type ConfigInput, isCatalogOption, isStorageOption } from '../config/index.js';
import type { Obstacle } from './finding.js';
import type { CatalogReference } from './iceberg-source.js';
import { Secrets } from './secrets.js';
import { sqliteFile } from './sqlite-uri.js';

type CatalogInput = NonNullable<ConfigInput['catalogs']>[string];
type StoreInput = NonNullable<NonNullable<ConfigInput['storage']>['stores']>[string];

/** A catalog that can be opened. */
export interface ImportedCatalog {
  /** The name is part of every row of a SQL catalog: it stays. */
  readonly name: string;
  /** As `moraine.yaml` has it, with absolute paths; `${NAME}` stands for a variable. */
  readonly input: CatalogInput;
}

/** The part before the slash of `CATALOG/NS.TABLE`. */
const CATALOG_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;
const TYPES = new Map([
  ['sql', 'sql'],
  ['jdbc', 'sql'],
  ['rest', 'rest'],
  ['glue', 'glue'],
  ['hive', 'hive'],
] as const);
const isBucket = (place: string): boolean => /^(s3[an]?|gs):/.test(place);

/** Catalogs by name, each once, and what they need of the store of their tables. */
export class CatalogSet {
  readonly secrets = new Secrets();
  readonly #folder: string;
  readonly #catalogs = new Map<string, ImportedCatalog>();
  /** Where the tables of each catalog are, as far as that is known. */
  readonly #places = new Map<string, string | undefined>();
  /** The storage options of each catalog with some. */
  readonly #storage = new Map<string, ReadonlyMap<string, string>>();
  readonly #offered = new Map<string, string>();
  readonly #tokens = new Map<string, string>();

  /** @param folder that relative paths start from */
  constructor(folder: string) {
    this.#folder = folder;
  }

  get catalogs(): ReadonlyMap<string, ImportedCatalog> {
    return this.#catalogs;
  }

  /** The key `storage` of `moraine.yaml`; undefined where the defaults do. */
  get storage(): ConfigInput['storage'] {
    const needsRoots = [...this.#catalogs.values()].some(({ input }) => input.type === 'rest');
    const places = [...new Set(this.#places.values())].filter((place) => place !== undefined);
    const roots = needsRoots ? { roots: places.length === 0 ? ['warehouse'] : places } : {};
    const { shared, own } = this.#split();
    const options = { ...Object.fromEntries(this.#offered), ...shared };
    const stores = Object.fromEntries(own);
    const storage = {
      ...roots,
      ...(Object.keys(options).length === 0 ? {} : { options }),
      ...(own.length === 0 ? {} : { stores }),
    };
    return Object.keys(storage).length === 0 ? undefined : storage;
  }

  /** Options for all buckets, and those of catalogs whose tables are in another store, as far as it is known where. */
  #split() {
    const [first, ...others] = [...this.#storage];
    const shared: Readonly<Record<string, string>> = Object.fromEntries(first?.[1] ?? []);
    const own = others.flatMap(([name, options]) => {
      const place = this.#places.get(name);
      const differs = !isDeepStrictEqual(Object.fromEntries(options), shared);
      if (!differs || place === undefined || !isBucket(place) || place === this.#places.get(first?.[0] ?? ''))
        return [];
      return [[name, { roots: [place], options: Object.fromEntries(options) }] as [string, StoreInput]];
    });
    return { shared, own };
  }

  /** Catalogs with storage options that the configuration has no place for. */
  get withoutStore(): readonly string[] {
    const { shared, own } = this.#split();
    const others = [...this.#storage].filter(([, options]) => !isDeepStrictEqual(Object.fromEntries(options), shared));
    return others.map(([name]) => name).filter((name) => own.every(([stored]) => stored !== name));
  }

  /** Catalogs of which nobody said where their tables are. */
  get withoutPlace(): readonly string[] {
    return [...this.#places].filter(([, place]) => place === undefined).map(([name]) => name);
  }

  /** By catalog, the variable that its token is in. */
  get tokens(): ReadonlyMap<string, string> {
    return this.#tokens;
  }

  /** Whether a catalog's tables are in a bucket, or may be. */
  isRemote({ name }: ImportedCatalog): boolean {
    const place = this.#places.get(name);
    return place === undefined || isBucket(place);
  }

  /** A storage option that something else than a store names: it counts where tables are in buckets and no store has it. */
  offer(name: string, value: string | undefined): void {
    const isInBucket = [...this.#places.values()].some((place) => place !== undefined && isBucket(place));
    if (value !== undefined && isInBucket) this.#offered.set(name, value);
  }

  remove(name: string): void {
    for (const map of [this.#catalogs, this.#places, this.#tokens, this.#storage]) map.delete(name);
  }

  /** Adds a catalog unless it is there; says why if it cannot be opened. */
  add(reference: CatalogReference): ImportedCatalog | Obstacle {
    const type = TYPES.get(reference.type as never);
    if (type === undefined) {
      return {
        reason: `its catalog ${reference.name} is of type ${reference.type}; Moraine opens SQL, REST, Glue and Hive catalogs`,
        remedy: `Register the table in a catalog of one of these types (PyIceberg: catalog.register_table), then define the view over it.`,
      };
    }
    const { name } = reference;
    if (!CATALOG_NAME.test(name)) {
      return {
        reason: `a catalog cannot be named ${JSON.stringify(name)} here: only letters, digits, "_" and "-"`,
        remedy: 'Register the tables under another catalog_name, then import again.',
      };
    }
    const place = this.#placeOf(reference, type);
    if (typeof place === 'object') return place;
    const input = this.#inputOf(reference, type, place);
    if ('reason' in input) return input;
    return this.#kept({ name, input }, place, reference);
  }

  #kept(
    catalog: ImportedCatalog,
    place: string | undefined,
    { place: prefix, name, properties, tokenVariable }: CatalogReference,
  ) {
    const other = this.#catalogs.get(name);
    if (other !== undefined && (other.input.uri !== catalog.input.uri || other.input.type !== catalog.input.type)) {
      return {
        reason: `another catalog of this repository is named ${name} too, and is in another place`,
        remedy: `Give one of them another catalog_name in Feast, or make a moraine.yaml of its own for it.`,
      };
    }
    if (other === undefined) this.#catalogs.set(name, catalog);
    if (other === undefined) this.#places.set(name, place);
    if (tokenVariable !== undefined && catalog.input.type === 'rest') this.#tokens.set(name, tokenVariable);
    const options = [...properties].filter(([key]) => this.isRemote(catalog) && isStorageOption(key));
    if (options.length > 0 && !this.#storage.has(name)) {
      const shown = options.map(([key, value]) => [key, this.secrets.shown(prefix ?? name, key, value)] as const);
      this.#storage.set(name, new Map(shown));
    }
    return other ?? catalog;
  }

  /** Where new tables go; undefined for a REST catalog that does not say. */
  #placeOf(
    { name, warehouse }: CatalogReference,
    type: 'sql' | 'rest' | 'glue' | 'hive',
  ): string | undefined | Obstacle {
    if (type === 'rest') return warehouse !== undefined && isBucket(warehouse) ? warehouse : undefined;
    if (warehouse === undefined && type !== 'sql') {
      return {
        reason: `its catalog ${name} names no warehouse`,
        remedy: 'Set warehouse in feature_store.yaml to where its tables are, then import again.',
      };
    }
    const place = warehouse ?? 'warehouse';
    if (isBucket(place)) return place;
    const folder = localFolder(place, this.#folder);
    if (folder !== undefined) return folder;
    return {
      reason: `its catalog ${name} has a warehouse that is none of a folder of this machine, s3://BUCKET/PREFIX and gs://BUCKET/PREFIX`,
      remedy: 'Copy the tables to one of these (PyIceberg or Spark), then import again.',
    };
  }

  #inputOf(
    reference: CatalogReference,
    type: 'sql' | 'rest' | 'glue' | 'hive',
    place: string | undefined,
  ): CatalogInput | Obstacle {
    const { name, uri, warehouse, properties, place: prefix = name } = reference;
    const known = [...properties].filter(([key]) => isCatalogOption(type, key));
    const shown = known.map(([key, value]) => [key, this.secrets.shown(prefix, key, value)] as const);
    const options = shown.length === 0 ? {} : { options: Object.fromEntries(shown) };
    const tables = place === undefined ? {} : { warehouse: place };
    if (type === 'glue') return { type, ...tables, ...options };
    if (type === 'sql') {
      const database = uri === undefined ? undefined : (sqliteFile(uri, this.#folder) ?? this.#postgres(prefix, uri));
      if (database !== undefined) return { type, uri: database, ...tables };
      return {
        reason: `its catalog ${name} is neither a SQLite file nor a PostgreSQL database (${uri === undefined ? 'no uri' : databaseOf(uri)})`,
        remedy: 'Copy the catalog to one of these (PyIceberg: register_table for each table), then import again.',
      };
    }
    const isAddress = type === 'rest' ? /^https?:\/\/[^/@]+(\/|$)/ : /^thrift:\/\//;
    if (uri === undefined || !isAddress.test(uri)) {
      const address = type === 'rest' ? 'https://HOST/PATH' : 'thrift://HOST:PORT';
      return {
        reason: `its catalog ${name} has no address such as ${address} (${uri === undefined ? 'no uri' : databaseOf(uri)})`,
        remedy: 'Set uri in feature_store.yaml, a user and password apart from it, then import again.',
      };
    }
    const named = type === 'rest' && warehouse !== undefined ? { warehouse } : tables;
    return { type, uri, ...named, ...options };
  }

  /** The address of a database, with its password as a variable; undefined for one of another kind. */
  #postgres(prefix: string, uri: string): string | undefined {
    const match = /^(postgres(?:ql)?(?:\+\w+)?:\/\/)(?:([^:@/]*)(?::([^@/]*))?@)?([^@]*)$/.exec(uri);
    if (match === null) return undefined;
    const [, scheme = '', user, password, rest = ''] = match;
    if (user === undefined) return `${scheme}${rest}`;
    if (password === undefined || password === '') return `${scheme}${user}@${rest}`;
    return `${scheme}${user}:${this.secrets.hidden(prefix, 'password', password)}@${rest}`;
  }
}

/** The scheme alone: what follows may hold a password. */
function databaseOf(uri: string): string {
  return /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(uri)?.[1] ?? (uri.startsWith('$') ? `${uri} is not set` : 'no scheme');
}

function localFolder(warehouse: string, base: string): string | undefined {
  const path = warehouse.replace(/^file:(?:\/\/)?(?=\/)/, '');
  return /^[A-Za-z][A-Za-z0-9+.-]*:/.test(path) ? undefined : resolve(base, path);
}
