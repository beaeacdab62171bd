/** The workflows: what happens, in what order. This is the entry of the workflow bundle; it does no I/O. */

export { backfill } from './backfill/backfill.js';
export { backfillRun } from './backfill/backfill-run.js';
export { compact } from './compact/compact.js';
export { compactRun } from './compact/compact-run.js';
export { ingest } from './ingest/ingest.js';
export { maintain } from './maintain/maintain.js';
export { maintainRun } from './maintain/maintain-run.js';
export { maintainTables } from './maintain/maintain-tables.js';
export { materialize } from './materialize/materialize.js';
export { materializeRun } from './materialize/materialize-run.js';
export { progress } from './report.js';
export type { SandboxSettings, SettingsVariable } from './sandbox-settings.js';
export { requested, runEnded } from './signals.js';
export { trainingSet } from './training-set/training-set.js';
/** Temporal takes the default export for types that it finds under no name. */
export { unknownWorkflow as default } from './unknown-workflow.js';
