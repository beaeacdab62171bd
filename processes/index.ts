/** Things that a process shares with others of its machine, and cancellation. Imports nothing that is slow to load. */
export { pause, throwIfAborted, unlessAborted } from './cancellation.js';
export { type FileLock, tryLockFile } from './file-lock.js';
export { makeFolders } from './make-folders.js';
export { makePrivateFolder, tightenMode } from './private-folder.js';
export { syncPath } from './sync-path.js';
export { makeTemporaryFolder, type TemporaryFolder } from './temporary-folder.js';
export { type HostIds, thisHost } from './this-host.js';
export { runBehind, threadIds } from './thread-priority.js';
export { withinTime } from './time-limit.js';
export { Turns } from './turns.js';
