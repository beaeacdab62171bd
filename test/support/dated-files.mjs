// Loaded into a process with `node --import`: the change time of files is reported as their modification time. The system sets the one,
// tests the other, so that old files can be made.

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

for (const name of ['stat', 'lstat']) {
  const real = fs.promises[name];
  fs.promises[name] = async (...args) => {
    const status = await real(...args);
    status.ctimeMs = status.mtimeMs;
    return status;
  };
}
syncBuiltinESMExports();
