/** Dependencies of materialization. */
import type { Catalog } from '../catalogs/index.js';
import type { Engine } from '../engine/index.js';
import type { Definitions } from '../features/index.js';
import type { OnlineSettings, RenameDeps } from '../online/index.js';
import type { EngineChoice } from '../reduction/index.js';
import type { FileIO } from '../storage/index.js';
import type { Table } from '../tables/index.js';

export interface MaterializationDeps extends RenameDeps {
  /** The catalog of the online tables. */
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly engine: Engine;
  readonly settings?: OnlineSettings;
  /** The registered definitions as they are now. */
  definitions(): Promise<Definitions>;
  /** Loads a source table by its name, `[CATALOG/]NS.TABLE`, as it is now. */
  readonly loadSource: (name: string) => Promise<Table>;
  /** Engines that may reduce source rows to those that may win; absent: only DuckDB. */
  readonly engines?: EngineChoice | undefined;
  /** Makes sure that the files of a table can be opened that is known from a plan; absent where they always can. */
  readonly reach?: (table: string) => Promise<void>;
}
