/** Operating-system errors, classified once. */
import { type ErrorCode, isMoraineError, MoraineError } from '../errors/index.js';
import { printableLocation } from '../locations/index.js';

/** By the code of the system's error, or by its call and code. */
const CODES = new Map<string, { readonly code: ErrorCode; readonly reason: string }>([
  ['ENOENT', { code: 'FILE_NOT_FOUND', reason: 'it does not exist' }],
  ['mkdir ENOENT', { code: 'STORAGE_UNAVAILABLE', reason: 'its file system makes no folders there' }],
  ['mkdir EEXIST', { code: 'STORAGE_UNAVAILABLE', reason: 'a file is in the place of a folder' }],
  ['ENOTDIR', { code: 'FILE_NOT_FOUND', reason: 'a part of its path is not a folder' }],
  ['EISDIR', { code: 'FILE_NOT_FOUND', reason: 'it is a folder' }],
  ['EEXIST', { code: 'FILE_ALREADY_EXISTS', reason: 'it exists already' }],
  ['ELOOP', { code: 'LOCATION_REFUSED', reason: 'its symbolic links form a loop' }],
  ['ENAMETOOLONG', { code: 'INVALID_ARGUMENT', reason: 'its path is too long' }],
  ['ENOSPC', { code: 'STORAGE_UNAVAILABLE', reason: 'the disk is full' }],
  ['EDQUOT', { code: 'STORAGE_UNAVAILABLE', reason: 'the disk quota is used up' }],
  ['EACCES', { code: 'STORAGE_UNAVAILABLE', reason: 'permission is denied' }],
  ['EPERM', { code: 'STORAGE_UNAVAILABLE', reason: 'permission is denied' }],
  ['EROFS', { code: 'STORAGE_UNAVAILABLE', reason: 'the file system is read-only' }],
  ['EMFILE', { code: 'STORAGE_UNAVAILABLE', reason: 'too many files are open' }],
  ['ENFILE', { code: 'STORAGE_UNAVAILABLE', reason: 'too many files are open' }],
]);

/**
 * The error for a failed file operation. Errors that are classified already pass through.
 * @param action what was tried, as a verb: `read`, `create`
 */
export function storageError(error: unknown, action: string, location: string): MoraineError {
  if (isMoraineError(error)) return error;
  const failure = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  const { code: osCode = 'unknown', message = String(error), syscall = '' } = failure;
  const known = CODES.get(`${syscall} ${osCode}`) ?? CODES.get(osCode);
  const reason = known?.reason ?? message;
  return new MoraineError(
    known?.code ?? 'STORAGE_UNAVAILABLE',
    `Cannot ${action} ${printableLocation(location)}: ${reason}.`,
    { details: { location, osCode }, cause: error },
  );
}

/** Another file lies at the location than the one that was expected. */
export function fileChanged(location: string): MoraineError {
  const message = `The file ${printableLocation(location)} was replaced by another one of that name.`;
  return new MoraineError('FILE_CHANGED', message, { details: { location } });
}
