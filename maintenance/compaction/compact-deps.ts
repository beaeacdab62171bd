/** Dependencies of compaction. */
import type { Engine } from '../../engine/index.js';
import type { Definitions } from '../../features/index.js';
import type { FileIO } from '../../storage/index.js';
import type { Table } from '../../tables/index.js';

export interface CompactDeps {
  readonly io: FileIO;
  readonly engine: Engine;
  /** Loads a table by its name, `[CATALOG/]NS.TABLE`, as it is now. */
  loadTable(name: string): Promise<Table>;
  /** The registered definitions as they are now. */
  definitions(): Promise<Definitions>;
}
