import { type ErrorCode, MoraineError } from '../../errors/index.js';

/** The error that a function throws; a function that throws nothing, or another error, fails the test. */
export function errorOf(action: () => unknown): MoraineError {
  try {
    action();
  } catch (error) {
    if (error instanceof MoraineError) return error;
    throw new Error('expected a MoraineError', { cause: error });
  }
  throw new Error('expected an error, none was thrown');
}

/** The code of the error that a function throws. */
export function codeOf(action: () => unknown): ErrorCode {
  return errorOf(action).code;
}

/** The error that a promise rejects with, which must be a MoraineError. */
export async function failureOf(promise: Promise<unknown>): Promise<MoraineError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof MoraineError) return error;
    throw new Error('expected a MoraineError', { cause: error });
  }
  throw new Error('expected an error, none was thrown');
}

/** The code of the error that a promise rejects with. */
export async function rejectionCode(promise: Promise<unknown>): Promise<ErrorCode> {
  return (await failureOf(promise)).code;
}
