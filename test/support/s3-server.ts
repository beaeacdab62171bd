/** S3 servers on this machine: moto, from PyPI, and versitygw, which keeps real files, from the Go proxy. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { freePorts } from '../../workers/server/free-ports.js';
import { keptInCache } from './kept-in-cache.js';
import { projectRoot } from './paths.js';
import { pythonEnvironment } from './python-environment.js';

/** A running server. */
export interface S3Server {
  readonly endpoint: string;
  /** What `storage.options` needs to use it. */
  readonly options: Readonly<Record<string, string>>;
  readonly client: S3Client;
  makeBucket(name: string): Promise<void>;
  close(): Promise<void>;
}

const KEYS = { accessKeyId: 'moraine-test', secretAccessKey: 'canary-secret-of-the-tests' };

/** Starts a server without buckets, which keeps objects in memory. */
export async function startS3Server(): Promise<S3Server> {
  const python = pythonEnvironment(join(projectRoot, 'test/interop/requirements-moto.txt'));
  const [port = 0] = await freePorts(1);
  const server = spawn(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', `${port}`], { stdio: 'ignore' });
  return await started(server, `http://127.0.0.1:${port}`, () => undefined);
}

const VERSITYGW = 'v1.8.0';

/** Starts a server without buckets, which keeps objects as files of a temporary folder. Compiles it for the first time. */
export async function startVersityGateway(): Promise<S3Server> {
  const folder = keptInCache(`versitygw-${VERSITYGW}`, (staging) => {
    process.stderr.write('tests: compiling versitygw (once) ...\n');
    const env = { ...process.env, GOBIN: staging, CGO_ENABLED: '0' };
    const what = `github.com/versity/versitygw/cmd/versitygw@${VERSITYGW}`;
    execFileSync('go', ['install', what], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  });
  const data = mkdtempSync(join(tmpdir(), 'moraine-versitygw-'));
  const [port = 0] = await freePorts(1);
  const { accessKeyId, secretAccessKey } = KEYS;
  const where = ['--quiet', '--keep-alive', '--port', `127.0.0.1:${port}`];
  const server = spawn(join(folder, 'versitygw'), [...where, 'posix', data], {
    stdio: 'ignore',
    env: { ...process.env, ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
  });
  return await started(server, `http://127.0.0.1:${port}`, () => rmSync(data, { recursive: true, force: true }));
}

async function started(server: ChildProcess, endpoint: string, clean: () => void): Promise<S3Server> {
  await answers(server, endpoint);
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: KEYS });
  return {
    endpoint,
    options: {
      's3.endpoint': endpoint,
      's3.region': 'us-east-1',
      's3.access-key-id': KEYS.accessKeyId,
      's3.secret-access-key': KEYS.secretAccessKey,
    },
    client,
    makeBucket: async (name) => {
      await client.send(new CreateBucketCommand({ Bucket: name }));
    },
    close: async () => {
      client.destroy();
      const ended = once(server, 'exit');
      server.kill('SIGKILL');
      await ended;
      clean();
    },
  };
}

/** Waits until the server answers anything; the test's own time limit bounds the wait. */
async function answers(server: ChildProcess, endpoint: string): Promise<void> {
  while (server.exitCode === null) {
    const answer = await fetch(endpoint).catch(() => undefined);
    if (answer !== undefined) return;
    await sleep(100);
  }
  throw new Error(`${server.spawnfile} ended with code ${server.exitCode}`);
}
