/** A batch of predictions over views that are not all online. Runs in a process of its own. */
import { readBatch } from '../online/index.js';
import { materializationDeps, type Project } from '../project/index.js';
import { batchJson } from './batch-json.js';
import { parseExactJson } from './exact-json.js';
import { keyValueOfJson } from './key-value-json.js';
import type { OfflineOutput } from './offline-output.js';

/** What the process is asked for. */
export interface BatchWork {
  readonly views: readonly string[];
  /** JSON of the entities, since numbers that are exact in it could not be sent otherwise. */
  readonly entities: string;
  readonly fullFeatureNames: boolean;
  /** Milliseconds. */
  readonly timeoutMs: number;
}

/** Writes the whole answer, which is JSON. */
export async function answerBatch(project: Project, work: BatchWork, output: OfflineOutput): Promise<void> {
  const entities = parseExactJson(Buffer.from(work.entities)) as readonly Readonly<Record<string, unknown>>[];
  const response = await readBatch(await materializationDeps(project), {
    views: work.views,
    entities,
    readKeyValue: keyValueOfJson,
    fullFeatureNames: work.fullFeatureNames,
    readTimeoutMs: work.timeoutMs,
  });
  const known = response.snapshots.flatMap(({ view, snapshotId }) =>
    snapshotId === null ? [] : [[view, snapshotId] as const],
  );
  output.begin({ rows: entities.length, snapshots: new Map(known) });
  for (const part of batchJson(response, entities)) await output.write(part);
}
