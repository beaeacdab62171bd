/**
 * Starts the system in the current folder, and ends it on Ctrl-C: an S3 server, Nessie, Trino, a Temporal server with a worker, and the feature
 * service. What the environment names already (S3_ENDPOINT, NESSIE_URI, TRINO_HOST) is used as it is and left running. `.env` gets the variables
 * of all of it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The clone that this folder is in, after `npm ci`. */
const DIST = new URL('../../dist/', import.meta.url);
const MORAINE = fileURLToPath(new URL('cli/main.js', DIST));
/** What starts servers, as tests do; it also fetches them: Trino and Nessie from Maven Central, the S3 server from PyPI. */
const servers = () => import(new URL('test/support/example-servers.js', DIST).href);

const given = process.env;
const variables = {
  S3_ENDPOINT: given.S3_ENDPOINT,
  S3_BUCKET: given.S3_BUCKET || 'warehouse',
  AWS_REGION: given.AWS_REGION || 'us-east-1',
  AWS_ACCESS_KEY_ID: given.AWS_ACCESS_KEY_ID,
  AWS_SECRET_ACCESS_KEY: given.AWS_SECRET_ACCESS_KEY,
  NESSIE_URI: given.NESSIE_URI,
  NESSIE_REF: given.NESSIE_REF || 'main',
  TRINO_HOST: given.TRINO_HOST,
  TRINO_PORT: given.TRINO_PORT || '8080',
  TRINO_USER: given.TRINO_USER || 'feast',
  TRINO_CATALOG: given.TRINO_CATALOG || 'iceberg',
};

/** What ends what was started, the last first. */
const endings = [];
const say = (name, text) => process.stdout.write(`${name.padEnd(9)} ${text}\n`);

/** The store, as the parts that start Nessie and Trino take it. */
async function findStore() {
  if (variables.S3_ENDPOINT) {
    if (!variables.AWS_ACCESS_KEY_ID || !variables.AWS_SECRET_ACCESS_KEY)
      throw new Error('S3_ENDPOINT is set: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, too.');
  } else {
    const { startS3Server } = await servers();
    const server = await startS3Server();
    endings.push(server.close);
    await server.makeBucket(variables.S3_BUCKET);
    variables.S3_ENDPOINT = server.endpoint;
    variables.AWS_ACCESS_KEY_ID = server.options['s3.access-key-id'];
    variables.AWS_SECRET_ACCESS_KEY = server.options['s3.secret-access-key'];
  }
  say('S3', `${variables.S3_ENDPOINT}, bucket ${variables.S3_BUCKET}`);
  return {
    endpoint: variables.S3_ENDPOINT,
    options: {
      's3.access-key-id': variables.AWS_ACCESS_KEY_ID,
      's3.secret-access-key': variables.AWS_SECRET_ACCESS_KEY,
    },
  };
}

async function findNessie(store) {
  if (!variables.NESSIE_URI) {
    const { startNessie } = await servers();
    const server = await startNessie(store, `s3://${variables.S3_BUCKET}/iceberg`);
    endings.push(server.close);
    variables.NESSIE_URI = `${server.address}/api/v2`;
    if (variables.NESSIE_REF !== 'main') await server.makeReference(variables.NESSIE_REF, 'main');
  }
  // Clients of Nessie's own API name that; Iceberg's REST catalog is beside it, with the reference as its prefix.
  const address = variables.NESSIE_URI.replace(/\/(api\/v\d+|iceberg(\/[^/]*)?)?\/?$/, '');
  variables.NESSIE_ICEBERG_URI = `${address}/iceberg/${encodeURIComponent(variables.NESSIE_REF)}`;
  say('Nessie', `${variables.NESSIE_URI}, branch ${variables.NESSIE_REF}`);
  return { address };
}

async function findTrino(store, nessie) {
  if (!variables.TRINO_HOST) {
    const { onNessie, startTrino } = await servers();
    const server = await startTrino(store, { [variables.TRINO_CATALOG]: onNessie(nessie, variables.NESSIE_REF) });
    endings.push(server.close);
    const { hostname, port } = new URL(server.address);
    Object.assign(variables, { TRINO_HOST: hostname, TRINO_PORT: port });
  }
  say('Trino', `http://${variables.TRINO_HOST}:${variables.TRINO_PORT}, catalog ${variables.TRINO_CATALOG}`);
}

/** Starts a command of Moraine that runs until it is told to end, and gives the line of JSON that it begins with. */
async function startMoraine(...args) {
  // In a group of its own: a Ctrl-C of the terminal would reach it beside the signal of the ending.
  const options = { env: { ...given, ...variables }, stdio: ['ignore', 'pipe', 'inherit'], detached: true };
  const child = spawn(process.execPath, [MORAINE, ...args, '--json'], options);
  const exited = once(child, 'exit');
  endings.push(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  const ended = exited.then(([code]) => {
    throw new Error(`moraine ${args.join(' ')} has ended with code ${code}`);
  });
  ended.catch((error) => void end(error));
  const [line] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended]);
  return JSON.parse(line);
}

let ending;
/** Ends everything: the service and the worker first, in their own time, then the servers below them. */
function end(error) {
  ending ??= (async () => {
    if (error !== undefined) process.stderr.write(`${error.message}\n`);
    // Servers that a Ctrl-C of the terminal has ended already are not waited for.
    for (const close of endings.toReversed()) await Promise.race([close(), sleep(30_000, undefined, { ref: false })]);
    process.exit(error === undefined ? 0 : 1);
  })();
  return ending;
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void end());

try {
  const store = await findStore();
  await findTrino(store, await findNessie(store));
  const { address, ui } = await startMoraine('dev');
  say('Temporal', `${address}, web UI ${ui}`);
  const { url } = await startMoraine('serve', '--port', given.FEATURE_SERVICE_PORT || '6566');
  variables.FEATURE_SERVICE_URL = url;
  const lines = Object.entries(variables).map(([name, value]) => `${name}='${value}'\n`);
  writeFileSync('.env', lines.join(''), { mode: 0o600 });
  say('Service', url);
  process.stdout.write('The variables are in .env; Ctrl-C ends everything.\n');
} catch (error) {
  await end(error);
}
