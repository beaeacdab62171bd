/** Heavy work of the service, done in a process of its own so that it never holds up online reads. Runs in that process. */

import { type HistoricalFeaturesRequest, withHistoricalFeatures } from '../client/index.js';
import type { MoraineConfig } from '../config/index.js';
import { writeRows } from '../engine/index.js';
import type { ErrorCode, ErrorDetails } from '../errors/index.js';
import type { Project } from '../project/index.js';

/** How rows are written. */
export type OfflineFormat = 'json' | 'arrow' | 'parquet';

/** What a process is asked for. Everything in it can be cloned. */
export interface OfflineWork {
  readonly kind: 'historical';
  readonly request: Omit<HistoricalFeaturesRequest, 'signal'>;
  readonly format: OfflineFormat;
}

/** The first message to the process. */
export interface OfflineOrder {
  readonly config: MoraineConfig;
  /** A folder that the process may read. The caller removes it. */
  readonly folder: string;
  readonly work: OfflineWork;
}

/** Facts about an answer, told before its first byte. */
export interface OfflineHead {
  readonly rows: number;
  /** By table: the snapshot that was read; tables without any are left out. */
  readonly snapshots: ReadonlyMap<string, bigint>;
}

/** A message of the process: the head of an answer, its end, or why there is none. */
export type OfflineNews =
  | { readonly type: 'begun'; readonly head: OfflineHead }
  | { readonly type: 'ended' }
  | {
      readonly type: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      readonly remedy: string;
      readonly details: ErrorDetails;
    };

/** Where the bytes of an answer go. */
export interface OfflineOutput {
  begin(head: OfflineHead): void;
  write(bytes: Uint8Array): Promise<void>;
}

/** Does the work. The head is told before the first byte, and at the end if there is none. */
export async function doOfflineWork(
  project: Project,
  { request, format }: OfflineWork,
  output: OfflineOutput,
): Promise<void> {
  await withHistoricalFeatures(project, request, async ({ connection, select, schema, rowCount, snapshots }) => {
    const known = [...snapshots].flatMap(([table, id]) => (id === null ? [] : [[table, id] as const]));
    let begun = false;
    const begin = (): void => {
      if (!begun) output.begin({ rows: rowCount, snapshots: new Map(known) });
      begun = true;
    };
    const write = (bytes: Uint8Array): Promise<void> => {
      begin();
      return output.write(bytes);
    };
    await writeRows(connection, select, schema, format, { write });
    begin();
  });
}
