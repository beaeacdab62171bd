/** Heavy work of the service, done in a process of its own so that it never holds up online reads. Runs in that process. */

import { type HistoricalFeaturesRequest, type TableFilesRequest, withHistoricalFeatures } from '../client/index.js';
import type { MoraineConfig } from '../config/index.js';
import { writeRows } from '../engine/index.js';
import type { ErrorCode, ErrorDetails } from '../errors/index.js';
import type { Project } from '../project/index.js';
import { answerBatch, type BatchWork } from './batch-work.js';
import { answerFiles } from './files-work.js';
import { answerHealth, type HealthWork } from './health-work.js';
import type { OfflineHead, OfflineOutput } from './offline-output.js';
import type { TraceCarrier } from './tracing/continue-trace.js';

/** How rows are written. */
export type OfflineFormat = 'json' | 'arrow' | 'parquet';

export interface HistoricalWork {
  readonly kind: 'historical';
  readonly request: Omit<HistoricalFeaturesRequest, 'signal'>;
  readonly format: OfflineFormat;
}

/** What a process is asked for. Everything in it can be cloned. */
export type OfflineWork =
  | HistoricalWork
  | { readonly kind: 'batch'; readonly request: BatchWork }
  | { readonly kind: 'files'; readonly request: TableFilesRequest }
  | { readonly kind: 'health'; readonly request: HealthWork };

/** The first message to the process. */
export interface OfflineOrder {
  readonly config: MoraineConfig;
  /** A folder that the process may read. The caller removes it. */
  readonly folder: string;
  readonly work: OfflineWork;
  /** Of the span that its spans are below; undefined if the request is not traced. */
  readonly carrier: TraceCarrier | undefined;
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

/** Does the work. It reports the head before the first byte, or at the end of an answer without bytes. */
export function doOfflineWork(project: Project, work: OfflineWork, output: OfflineOutput): Promise<void> {
  switch (work.kind) {
    case 'batch':
      return answerBatch(project, work.request, output);
    case 'files':
      return answerFiles(project, work.request, output);
    case 'health':
      return answerHealth(project, work.request, output);
    case 'historical':
      return retrieve(project, work, output);
  }
}

async function retrieve(project: Project, { request, format }: HistoricalWork, output: OfflineOutput): Promise<void> {
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
