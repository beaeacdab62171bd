/** Errors: one class, one closed table of codes. */
export { isMoraineError, MoraineError, type ErrorDetails } from './moraine-error.js';
export { ERROR_TABLE, NON_RETRYABLE_CODES, type ErrorCode, type ErrorEntry } from './table.js';
