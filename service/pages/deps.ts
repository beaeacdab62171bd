/** What the pages are made from. */
import type { Definitions } from '../../features/index.js';
import type { Project } from '../../project/index.js';
import type { WatchedKeys } from '../key-file.js';
import type { OfflineProcesses } from '../offline-processes.js';
import type { ReadinessDeps } from '../readiness.js';
import type { RecentErrors } from '../recent-errors.js';

export interface PageDeps extends ReadinessDeps {
  readonly project: Project;
  /** Processes for heavy work. */
  readonly offline: OfflineProcesses;
  /** Undefined: no key is needed. */
  readonly keys: WatchedKeys | undefined;
  readonly errors: RecentErrors;
  /** The registered definitions as reads know them, or by a look at most so many milliseconds ago. */
  readonly definitions: (maxStalenessMs?: number) => Promise<Definitions>;
  /** The OpenAPI document. */
  readonly document: object;
}
