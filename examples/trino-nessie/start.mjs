/**
 * Starts the system in the current folder, and ends it on Ctrl-C: an S3 server, Nessie and Trino (servers.mjs), a Temporal server with a worker,
 * and the feature service. `.env` gets the variables of all of it.
 */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SERVERS = fileURLToPath(new URL('servers.mjs', import.meta.url));
/** Of the clone that this folder is in, after `npm ci`. */
const MORAINE = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** What ends each process that was started, the last first. */
const endings = [];

/**
 * Keeps a process until the end. Each is in a group of its own: a Ctrl-C of the terminal would reach it at once.
 * @param stop has it end by itself
 * @param clean is called once it has ended
 * @returns a promise that rejects when it has ended
 */
function keep(child, name, stop, clean = () => undefined) {
  const exited = once(child, 'exit');
  endings.push(async () => {
    stop();
    await exited;
    clean();
  });
  const ended = exited.then(([code]) => {
    throw new Error(`${name} has ended with code ${code}`);
  });
  ended.catch((error) => void end(error));
  return ended;
}

/** Starts the servers that the environment does not name, and gives the variables of all. */
async function startServers() {
  const child = fork(SERVERS, { detached: true });
  const stop = () => child.connected && child.disconnect();
  const ended = keep(child, 'servers.mjs', stop, () => killGroup(child.pid));
  const [variables] = await Promise.race([once(child, 'message'), ended]);
  return variables;
}

/** A server that was still starting is in the group of servers.mjs. */
function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error; // nobody is left
  }
}

/** Starts a command of Moraine that runs until it is told to end, and gives the JSON that it begins with. */
async function startMoraine(variables, ...args) {
  const env = { ...process.env, ...variables };
  const stdio = ['ignore', 'pipe', 'inherit'];
  const child = spawn(process.execPath, [MORAINE, ...args, '--json'], { env, stdio, detached: true });
  const ended = keep(child, `moraine ${args[0]}`, () => child.kill('SIGTERM'));
  const [line] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended]);
  return JSON.parse(line);
}

let ending;
function end(error) {
  ending ??= (async () => {
    if (error !== undefined) process.stderr.write(`${error.message}\n`);
    for (const close of endings.toReversed()) await close();
    process.exit(error === undefined ? 0 : 1);
  })();
  return ending;
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void end());

try {
  const variables = await startServers();
  const { address, ui } = await startMoraine(variables, 'dev');
  process.stdout.write(`Temporal  ${address}, web UI ${ui}\n`);
  const { url } = await startMoraine(variables, 'serve', '--port', process.env.FEATURE_SERVICE_PORT || '6566');
  const lines = Object.entries({ ...variables, FEATURE_SERVICE_URL: url }).map(
    ([name, value]) => `${name}='${value}'\n`,
  );
  writeFileSync('.env', lines.join(''), { mode: 0o600 });
  process.stdout.write(`Service   ${url}\nThe variables are in .env; Ctrl-C ends everything.\n`);
} catch (error) {
  await end(error);
}
