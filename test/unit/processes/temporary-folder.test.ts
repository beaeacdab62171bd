/** Temporary folders of real processes: killed ones leave theirs to the next, and nobody touches those of the living. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { openEngine } from '../../../engine/index.js';
import { makeTemporaryFolder } from '../../../processes/index.js';
import { DIST } from '../../support/cli.js';
import { temporaryFolder } from '../../support/temp-folder.js';

/** A process that has made a folder with a file in it. */
async function startOwner(home: string) {
  const program = `
    import { writeFileSync } from 'node:fs';
    import { makeTemporaryFolder } from ${JSON.stringify(join(DIST, 'test/support/process-internals.js'))};
    const { path } = await makeTemporaryFolder(${JSON.stringify(home)}, 'engine');
    writeFileSync(path + '/spilled', 'rows');
    console.log(path);
    process.stdin.once('data', () => process.exit(3));
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [path] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const end = async (how: () => unknown): Promise<void> => {
    const ended = once(child, 'exit');
    how();
    await ended;
  };
  return { path, kill: () => end(() => child.kill('SIGKILL')), exit: () => end(() => child.stdin.write('now')) };
}

const MINUTE_AGO = Date.now() / 1000 - 60;
/** The pipe of a folder that was made a moment ago may not be open yet. */
const age = (path: string): void => utimesSync(`${path}.alive`, MINUTE_AGO, MINUTE_AGO);

/** The names in a place after a later process has cleaned it. */
async function namesAfterNext(home: string): Promise<string[]> {
  const next = await makeTemporaryFolder(home, 'engine');
  await next.remove();
  return readdirSync(home).sort();
}

test('what a killed process left is removed by the next; what a living one has stays', async () => {
  const home = temporaryFolder();
  const [killed, living] = [await startOwner(home), await startOwner(home)];
  age(killed.path);
  age(living.path);
  await killed.kill();
  expect(existsSync(join(killed.path, 'spilled'))).toBe(true);
  const rest = [living.path, `${living.path}.alive`].map((path) => path.slice(home.length + 1));
  expect(await namesAfterNext(home)).toEqual(rest);
  expect(existsSync(join(living.path, 'spilled'))).toBe(true);
  await living.kill();
  const engine = await openEngine({
    memoryLimitBytes: 2 ** 28,
    threads: 1,
    tempDirectory: home,
    allowedDirectories: [],
  });
  await engine.close();
  expect(readdirSync(home)).toEqual([]);
});

test('a process that ends in the midst of its work removes its own', async () => {
  const home = temporaryFolder();
  const owner = await startOwner(home);
  await owner.exit();
  expect(readdirSync(home)).toEqual([]);
});

test('folders of another machine, and what only looks like one of ours, stay', async () => {
  const home = temporaryFolder();
  const owner = await startOwner(home);
  await owner.kill();
  const elsewhere = owner.path
    .replace(/-[0-9a-f]{8}(?=-[0-9a-f]{12}$)/, '-00000000')
    .replace(/engine-[0-9a-z]+/, 'engine-none');
  renameSync(owner.path, elsewhere);
  renameSync(`${owner.path}.alive`, `${elsewhere}.alive`);
  age(elsewhere);
  const file = join(home, 'engine-none-0123abcd-0123456789ab');
  mkdirSync(file);
  writeFileSync(`${file}.alive`, 'a file, not a pipe');
  age(file);
  mkdirSync(join(home, 'engine-AbCdEf'));
  const before = readdirSync(home).sort();
  expect(await namesAfterNext(home)).toEqual(before);
});

test('a folder is for its user alone', async () => {
  const home = join(temporaryFolder(), 'made');
  const folder = await makeTemporaryFolder(home, 'engine');
  expect([home, folder.path].map((path) => (statSync(path).mode & 0o777).toString(8))).toEqual(['700', '700']);
  await folder.remove();
});
