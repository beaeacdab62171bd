/** Dependencies of the work that dies at a site of a crash lab. */
import type { MaintenanceDeps } from '../../maintenance/index.js';
import type { MaterializationDeps } from '../../materialization/index.js';
import type { CrashSite } from './crash-lab.js';
import { VIEW } from './materialization-lab.js';

const DEFINITIONS = {
  entities: new Map([['thing', { name: 'thing', joinKeys: ['k'] }]]),
  featureViews: new Map([[VIEW.name, { ...VIEW, onlineBuckets: 2 }]]),
  featureServices: new Map(),
};

/** With the one view of the lab, in two buckets. */
export function materializationDepsAt(site: CrashSite): MaterializationDeps & CrashSite {
  return { ...site, definitions: () => Promise.resolve(DEFINITIONS), loadSource: (name) => site.loadTable(name) };
}

/** Without definitions, for one table. */
export function maintenanceDepsAt(site: CrashSite, table: string): MaintenanceDeps {
  const none = { entities: new Map(), featureViews: new Map(), featureServices: new Map() };
  return {
    loadTable: (name) => site.loadTable(name),
    tables: async function* () {
      yield await site.loadTable(table);
    },
    registry: () =>
      Promise.resolve({ snapshotId: null, definitions: none, versions: new Map(), formerNames: new Map() }),
    onlineTable: () => Promise.resolve(null),
    isConfigured: () => Promise.resolve(true),
    guardedPlaces: () => Promise.resolve([]),
    datasets: () => Promise.resolve([]),
    nowMs: () => BigInt(Date.now()),
  };
}
