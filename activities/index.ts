/** The steps that workflows call: thin, over the library rooms. */
export { createActivities } from './create-activities.js';
export { type MaterializeRequest, parseMaterializeRequest, runWorkflowId } from './materialize-request.js';
export { ensureSearchAttributes, hasSearchAttributes, SEARCH_ATTRIBUTES } from './search-attributes.js';
export { outcomeOf, runHandle, startRun } from './start-run.js';
