/** Dependencies of maintenance. */
import type { Catalog } from '../catalogs/index.js';
import type { RegistryState, SavedDataset } from '../features/index.js';
import type { Table } from '../tables/index.js';

/** A place that no table's folder may hold. */
export interface GuardedPlace {
  /** For people, such as `the folder of the project`. */
  readonly name: string;
  readonly location: string;
  /** Whether no table's folder may lie in it either. */
  readonly isClosed?: boolean;
}

export interface MaintenanceDeps {
  /** Loads a table by its name, `[CATALOG/]NS.TABLE`, as it is now. */
  loadTable(name: string): Promise<Table>;
  /** Every table of every configured catalog, and of catalogs of other names in the same databases. */
  tables(): AsyncIterable<Table>;
  /** Whether commands can name the tables of a catalog: those of other names in the same database have no name here. */
  isConfigured(catalog: Pick<Catalog, 'id' | 'name'>): Promise<boolean>;
  /** Places that no table's folder may hold: storage roots, the project and what belongs to it. */
  guardedPlaces(): Promise<readonly GuardedPlace[]>;
  registry(): Promise<RegistryState>;
  /** The online table of a name that a view has or had; null: there is none. */
  onlineTable(view: string): Promise<Table | null>;
  datasets(): Promise<readonly SavedDataset[]>;
  /** This machine's clock, in milliseconds since the epoch. */
  nowMs(): bigint;
}
