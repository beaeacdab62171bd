/** Whether the service can answer: each online view is open, or refused for a reason that waiting does not change. */
import { isMoraineError } from '../errors/index.js';
import type { OnlineReader } from '../online/index.js';

/** `refused`: never materialized, for one; reads of the view are errors that say so. `unavailable`: storage or catalog do not answer. */
export interface ViewReadiness {
  readonly name: string;
  readonly status: 'open' | 'refused' | 'unavailable';
  /** The snapshot of its online table. */
  readonly snapshot?: string;
  readonly code?: string;
  readonly error?: string;
}

export interface Readiness {
  readonly status: 'ready' | 'not ready';
  /** Why the definitions cannot be read, or that the service closes. */
  readonly error?: string;
  readonly views: readonly ViewReadiness[];
}

/** What readiness is asked of. */
export interface ReadinessDeps {
  readonly reader: OnlineReader;
  readonly maxStalenessMs: number;
}

/** Opens every online view that is not open yet. */
export async function readiness(deps: ReadinessDeps): Promise<Readiness> {
  try {
    const { featureViews } = await deps.reader.definitions(deps.maxStalenessMs);
    const online = [...featureViews.values()].filter((view) => view.online).map(({ name }) => name);
    const views = await Promise.all(online.sort().map((name) => openView(deps, name)));
    return { status: views.every(({ status }) => status !== 'unavailable') ? 'ready' : 'not ready', views };
  } catch (error) {
    return { status: 'not ready', error: messageOf(error), views: [] };
  }
}

/** Opens one view. */
export async function openView({ reader, maxStalenessMs }: ReadinessDeps, name: string): Promise<ViewReadiness> {
  try {
    const { snapshots } = await reader.getOnlineFeatures({ view: name, entities: [], maxStalenessMs });
    const snapshotId = snapshots[0]?.snapshotId ?? null;
    return { name, status: 'open', ...(snapshotId === null ? {} : { snapshot: snapshotId.toString() }) };
  } catch (error) {
    const known = isMoraineError(error) ? error : undefined;
    const status = known === undefined || known.retryable ? 'unavailable' : 'refused';
    return { name, status, code: known?.code ?? 'INTERNAL', error: messageOf(error) };
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
