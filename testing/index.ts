/** Tests of workflows: recorded histories, and replaying them on the code as it is now. */
export { exportHistory } from './export-history.js';
export { type ReplayedHistory, type ReplayOptions, replayHistories } from './replay.js';
