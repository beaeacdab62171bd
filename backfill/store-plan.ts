/** Plans on storage, beside the metadata of the online table, where every worker reads them. */
import { createHash } from 'node:crypto';
import { metadataFolder } from '../catalogs/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import { type MaterializationDeps, resolveSource } from '../materialization/index.js';
import { ensureOnlineTable } from '../online/index.js';
import type { FileIO } from '../storage/index.js';
import { type BackfillPlan, parseBackfillPlan, planToText } from './plan.js';

const MAX_PLAN_BYTES = 256 * 2 ** 20;
const NAME = /\/moraine-backfill-[0-9a-f]{16}\.json$/;

/** Stores a plan under a name that its content decides. @returns its location */
export async function storeBackfillPlan(deps: MaterializationDeps, plan: BackfillPlan): Promise<string> {
  const { view } = await resolveSource(deps, plan.view);
  const { metadata } = await ensureOnlineTable(deps.catalog, view, deps.settings);
  const text = planToText(plan);
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
  const location = `${metadataFolder(metadata)}/moraine-backfill-${hash}.json`;
  await deps.io.create(location, Buffer.from(text)).catch((error: unknown) => {
    if (!isMoraineError(error, 'FILE_ALREADY_EXISTS')) throw error;
  });
  return location;
}

/** @throws INVALID_ARGUMENT for a location or a file that is no plan; FILE_NOT_FOUND */
export async function readBackfillPlan(io: FileIO, location: string): Promise<BackfillPlan> {
  if (!NAME.test(location)) {
    const message = `${JSON.stringify(location)} is no stored plan of a backfill; \`moraine backfill --apply FILE\` stores one.`;
    throw new MoraineError('INVALID_ARGUMENT', message);
  }
  const bytes = await io.read(location, { maxBytes: MAX_PLAN_BYTES });
  return parseBackfillPlan(new TextDecoder().decode(bytes), location);
}
