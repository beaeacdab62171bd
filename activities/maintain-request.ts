/** Checking what people, schedules and commands ask of maintenance. */
import { z } from 'zod';
import { MoraineError } from '../errors/index.js';
import { parseDurationMs } from '../features/index.js';
import { type MaintenanceSettings, orphanAgeMs } from '../maintenance/index.js';
import type { MaintainInput, MaintainRequest } from './maintain-contract.js';
import { withoutUndefined } from './request-table.js';

const duration = z
  .string()
  .refine((text) => parseDurationMs(text) !== undefined, 'is not a duration such as 5d, 36h or 90m');

const requestSchema = z.strictObject({
  table: z.string().min(1),
  olderThan: duration.optional(),
  retainLast: z.int().min(1).optional(),
  orphansOlderThan: duration.optional(),
  allowYoung: z.boolean().optional(),
  deleteOutside: z.boolean().optional(),
  metadataVersions: z.int().min(1).optional(),
  dryRun: z.boolean().optional(),
});

const EXAMPLE = 'for example {"table": "shop.orders"} or {"table": "shop.orders", "olderThan": "7d", "retainLast": 10}';

/**
 * @param request JSON as it came from outside
 * @throws `INVALID_ARGUMENT` naming every problem
 */
export function parseMaintainRequest(request: unknown): MaintainRequest {
  const parsed = requestSchema.safeParse(request);
  if (parsed.success) {
    const checked: MaintainInput = withoutUndefined(parsed.data);
    orphanAgeMs(maintenanceSettings(checked).orphans);
    return checked;
  }
  const problems = parsed.error.issues
    .map(({ path, message }) => (path.length === 0 ? message : `"${path.join('.')}": ${message}`))
    .join('; ');
  throw new MoraineError('INVALID_ARGUMENT', `the input of maintain is not right: ${problems}; ${EXAMPLE}`);
}

/**
 * Checks the input of `maintainTables`.
 * @throws `INVALID_ARGUMENT`
 */
export function parseMaintainTablesRequest(request: unknown): void {
  if (z.strictObject({ policy: z.literal(true) }).safeParse(request).success) return;
  throw new MoraineError('INVALID_ARGUMENT', 'the input of maintainTables is not right: it is always {"policy": true}');
}

/** The settings that a request means. */
export function maintenanceSettings(request: MaintainInput): MaintenanceSettings {
  const { olderThan, retainLast, orphansOlderThan, allowYoung, deleteOutside, metadataVersions } = request;
  const snapshotAgeMs = olderThan === undefined ? undefined : parseDurationMs(olderThan);
  const orphanMs = orphansOlderThan === undefined ? undefined : parseDurationMs(orphansOlderThan);
  return {
    expiry: {
      ...(snapshotAgeMs === undefined ? {} : { olderThanMs: snapshotAgeMs }),
      ...(retainLast === undefined ? {} : { retainLast }),
      ...(deleteOutside === undefined ? {} : { deleteOutside }),
      ...(metadataVersions === undefined ? {} : { metadataVersions }),
    },
    orphans: {
      ...(orphanMs === undefined ? {} : { olderThanMs: orphanMs }),
      ...(allowYoung === undefined ? {} : { allowYoung }),
    },
  };
}
