/** The workflows: what happens, in what order. This is the entry of the workflow bundle; it does no I/O. */
export { materialize } from './materialize.js';
export { materializeRun } from './materialize-run.js';
export { progress, requested, runEnded } from './signals.js';
export { trainingSet } from './training-set.js';
