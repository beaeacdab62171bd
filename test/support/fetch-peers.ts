/**
 * Fetches what the peers and servers of the tests are made of into the user's cache folder: Python environments, jars, Trino, MinIO. Run from
 * the repository's folder; tests that need a part meanwhile wait for it.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { cachedJar, jarsOf } from './maven.js';
import { NESSIE } from './nessie-server.js';
import { pythonEnvironment } from './python-environment.js';
import { minioProgram } from './s3-server.js';
import { ICEBERG_RUNTIME, SQLITE_JDBC } from './spark.js';
import { passwordPlugin } from './trino-guard.js';
import { trinoInstallation } from './trino-server.js';

/** Files that are downloaded at once. */
const AT_ONCE = 8;

const lists = join(process.cwd(), 'test/interop');
const named = (pattern: RegExp): readonly string[] =>
  readdirSync(lists)
    .filter((name) => pattern.test(name))
    .map((name) => join(lists, name));

const jars = [...named(/^jars-.*\.txt$/).flatMap(jarsOf), NESSIE, ICEBERG_RUNTIME, SQLITE_JDBC];
// A repository may refuse a hundred connections at once.
for (let first = 0; first < jars.length; first += AT_ONCE)
  await Promise.all(jars.slice(first, first + AT_ONCE).map(cachedJar));
await trinoInstallation();
await passwordPlugin();
for (const requirements of named(/^requirements.*\.txt$/)) {
  // A newer Java than the machine's comes from PyPI only where there is none.
  if (!requirements.endsWith('-java.txt')) pythonEnvironment(requirements);
}
minioProgram();
