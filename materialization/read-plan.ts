/** Reading a stored plan. */
import type { FileIO } from '../storage/index.js';
import type { MaterializationPlan } from './plan.js';
import { parsePlan } from './plan-json.js';

const MAX_PLAN_BYTES = 256 * 2 ** 20;

/** @throws FILE_NOT_FOUND, METADATA_CORRUPT, LIMIT_EXCEEDED */
export async function readPlan(io: FileIO, planLocation: string): Promise<MaterializationPlan> {
  const bytes = await io.read(planLocation, { maxBytes: MAX_PLAN_BYTES });
  return parsePlan(new TextDecoder().decode(bytes), planLocation);
}
