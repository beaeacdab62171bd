/** The catalogs that a Feast repository names, as catalogs of `moraine.yaml`. */
import { resolve } from 'node:path';
import type { Obstacle } from './finding.js';
import type { CatalogReference } from './iceberg-source.js';
import { sqliteFile } from './sqlite-uri.js';

/** A catalog that can be opened. */
export interface ImportedCatalog {
  /** The name is part of every row of a SQL catalog: it stays. */
  readonly name: string;
  /** Absolute path of the SQLite file. */
  readonly uri: string;
  /** Absolute path of the folder of new tables. */
  readonly warehouse: string;
}

/** The part before the slash of `CATALOG/NS.TABLE`. */
const CATALOG_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;
const SQL_TYPES = new Set(['sql', 'jdbc']);

/** Catalogs by name, each once. */
export class CatalogSet {
  readonly #folder: string;
  readonly #catalogs = new Map<string, ImportedCatalog>();

  /** @param folder that relative paths start from */
  constructor(folder: string) {
    this.#folder = folder;
  }

  get catalogs(): ReadonlyMap<string, ImportedCatalog> {
    return this.#catalogs;
  }

  /** Adds a catalog unless it is there; says why if it cannot be opened. */
  add(reference: CatalogReference): ImportedCatalog | Obstacle {
    const catalog = this.#toCatalog(reference);
    if ('reason' in catalog) return catalog;
    const other = this.#catalogs.get(catalog.name);
    if (other !== undefined && other.uri !== catalog.uri) {
      return {
        reason: `another catalog of this repository is named ${catalog.name} too, and is another file`,
        remedy: `Give one of them another catalog_name in Feast, or make a moraine.yaml of its own for it.`,
      };
    }
    if (other === undefined) this.#catalogs.set(catalog.name, catalog);
    return other ?? catalog;
  }

  #toCatalog({ type, name, uri, warehouse }: CatalogReference): ImportedCatalog | Obstacle {
    if (!SQL_TYPES.has(type)) {
      return {
        reason: `its catalog ${name} is of type ${type}; Moraine opens SQL catalogs on SQLite`,
        remedy: `Register the table in a SQL catalog too (PyIceberg: catalog.register_table), then define the view over it.`,
      };
    }
    const file = uri === undefined ? undefined : sqliteFile(uri, this.#folder);
    if (file === undefined) {
      return {
        reason: `its catalog ${name} is no SQLite file (${uri === undefined ? 'no uri' : databaseOf(uri)})`,
        remedy: 'Copy the catalog to SQLite (PyIceberg: register_table for each table), then import again.',
      };
    }
    if (!CATALOG_NAME.test(name)) {
      return {
        reason: `a catalog cannot be named ${JSON.stringify(name)} here: only letters, digits, "_" and "-"`,
        remedy: 'Register the tables under another catalog_name, then import again.',
      };
    }
    const folder = localFolder(warehouse ?? 'warehouse', this.#folder);
    if (folder !== undefined) return { name, uri: file, warehouse: folder };
    return {
      reason: `its catalog ${name} has a warehouse that is not a folder of this machine`,
      remedy: 'Copy the tables to a local folder (PyIceberg or Spark), then import again.',
    };
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
