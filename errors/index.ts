/** Errors: one class, one closed table of codes. */
export { type BackOff, backOffMs } from './back-off.js';
export type { ErrorEntry } from './error-entry.js';
export { inputTooLarge } from './input-size.js';
export { largest } from './largest.js';
export { type ErrorDetails, isMoraineError, MoraineError } from './moraine-error.js';
export { didYouMean, nearestNames } from './nearest-names.js';
export { counted, countedText, countText, durationText, sizeText, trafficText } from './quantities.js';
export { ERROR_TABLE, type ErrorCode, NON_RETRYABLE_CODES } from './table.js';
