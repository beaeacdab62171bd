/** Parts of `processes/` alone, for programs of tests that may open few files. The build writes it to `dist/test/support/process-internals.js`. */
export { makeTemporaryFolder, tryLockFile } from '../../processes/index.js';
