/**
 * Failures whose message and stack trace lie in a payload, which the codec encrypts. Temporal's SDK loads this file by its path with
 * `require`, so that it is CommonJS.
 */
const { DefaultFailureConverter } = require('@temporalio/common') as typeof import('@temporalio/common');

module.exports = { failureConverter: new DefaultFailureConverter({ encodeCommonAttributes: true }) };
