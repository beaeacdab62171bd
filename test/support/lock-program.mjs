// Tries to take a lock of a file as a process of its own: node lock-program.mjs DIST FILE [other-user|no-descriptors]
import { chmodSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [, , dist, file, kind] = process.argv;
const { tryLockFile } = await import(pathToFileURL(join(dist, 'test/support/process-internals.js')).href);
await (await tryLockFile(`${file}-first`)).release(); // everything is loaded then
if (kind === 'other-user') {
  if (process.getuid() === 0) process.setuid(65534);
  else chmodSync(file, 0o400);
}
if (kind === 'no-descriptors') {
  try {
    for (;;) openSync('/dev/null');
  } catch {
    // All are in use.
  }
}
const outcome = await tryLockFile(file).then(
  (lock) => (lock === undefined ? 'taken' : 'locked'),
  (error) => ({ code: error.code, message: error.message }),
);
process.stdout.write(JSON.stringify(outcome), () => process.exit());
