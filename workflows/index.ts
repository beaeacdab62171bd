/** The workflows: what happens, in what order. This is the entry of the workflow bundle; it does no I/O. */

export { backfill } from './backfill.js';
export { backfillRun } from './backfill-run.js';
export { compact } from './compact.js';
export { compactRun } from './compact-run.js';
export { maintain } from './maintain.js';
export { maintainRun } from './maintain-run.js';
export { maintainTables } from './maintain-tables.js';
export { materialize } from './materialize.js';
export { materializeRun } from './materialize-run.js';
export type { SandboxSettings, SettingsVariable } from './sandbox-settings.js';
export { progress, requested, runEnded } from './signals.js';
export { trainingSet } from './training-set.js';
