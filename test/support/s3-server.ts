/** S3 servers on this machine: moto, from PyPI, and versitygw, which keeps real files, from the Go proxy. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent } from 'node:https';
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

/** Files of a certificate, of its key, and of the authority that vouches for it. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
}

/** A server that takes users in and sends them away. */
export interface ServerWithUsers extends S3Server {
  /** Somebody who may do everything, until {@link removeUser}. The name is the access key. */
  makeUser(name: string, secret: string): void;
  removeUser(name: string): void;
}

/** Starts a server without buckets, which keeps objects as files of a temporary folder. Compiles it for the first time. */
export async function startVersityGateway(certificate?: Certificate): Promise<ServerWithUsers> {
  const folder = keptInCache(`versitygw-${VERSITYGW}`, (staging) => {
    process.stderr.write('tests: compiling versitygw (once) ...\n');
    const env = { ...process.env, GOBIN: staging, CGO_ENABLED: '0' };
    const what = `github.com/versity/versitygw/cmd/versitygw@${VERSITYGW}`;
    execFileSync('go', ['install', what], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  });
  const data = mkdtempSync(join(tmpdir(), 'moraine-versitygw-'));
  const users = mkdtempSync(join(tmpdir(), 'moraine-versitygw-users-'));
  const [port = 0] = await freePorts(1);
  const { accessKeyId, secretAccessKey } = KEYS;
  const where = ['--quiet', '--keep-alive', '--port', `127.0.0.1:${port}`, '--iam-dir', users, '--iam-cache-disable'];
  const secure = certificate === undefined ? [] : ['--cert', certificate.certificate, '--key', certificate.key];
  const server = spawn(join(folder, 'versitygw'), [...where, ...secure, 'posix', data], {
    stdio: 'ignore',
    env: { ...process.env, ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
  });
  const endpoint = `${certificate === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  const clean = () => {
    for (const each of [data, users]) rmSync(each, { recursive: true, force: true });
  };
  const store = await started(server, endpoint, clean, certificate?.authority);
  const asAdmin = ['admin', '--access', accessKeyId, '--secret', secretAccessKey, '--endpoint-url', endpoint];
  const administer = (...args: readonly string[]): void => {
    execFileSync(join(folder, 'versitygw'), [...asAdmin, ...args], { stdio: 'ignore' });
  };
  return {
    ...store,
    makeUser: (name, secret) => administer('create-user', '--access', name, '--secret', secret, '--role', 'admin'),
    removeUser: (name) => administer('delete-user', '--access', name),
  };
}

const MINIO = 'v0.0.0-20260212201848-7aac2a2c5b7c';

/** Starts a MinIO without buckets, which gives sessions to its users (STS). Compiles it for the first time, which takes minutes. */
export async function startMinio(): Promise<S3Server> {
  const folder = keptInCache(`minio-${MINIO}`, (staging) => {
    process.stderr.write('tests: compiling MinIO (once) ...\n');
    const env = { ...process.env, GOBIN: staging, CGO_ENABLED: '0' };
    execFileSync('go', ['install', `github.com/minio/minio@${MINIO}`], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  });
  const data = mkdtempSync(join(tmpdir(), 'moraine-minio-'));
  const [port = 0, consolePort = 0] = await freePorts(2);
  const { accessKeyId, secretAccessKey } = KEYS;
  const where = ['--address', `127.0.0.1:${port}`, '--console-address', `127.0.0.1:${consolePort}`];
  const server = spawn(join(folder, 'minio'), ['server', '--quiet', ...where, data], {
    stdio: 'ignore',
    env: { ...process.env, MINIO_ROOT_USER: accessKeyId, MINIO_ROOT_PASSWORD: secretAccessKey, MINIO_BROWSER: 'off' },
  });
  return await started(server, `http://127.0.0.1:${port}`, () => rmSync(data, { recursive: true, force: true }));
}

async function started(
  server: ChildProcess,
  endpoint: string,
  clean: () => void,
  authority?: string,
): Promise<S3Server> {
  await answers(server, endpoint);
  const trust =
    authority === undefined ? {} : { requestHandler: { httpsAgent: new Agent({ ca: readFileSync(authority) }) } };
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: KEYS, ...trust });
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

/** A certificate that is not trusted is an answer, too. */
function refusedOf({ cause }: Error): { readonly status: number } | undefined {
  const { code = '' } = (cause ?? {}) as NodeJS.ErrnoException;
  return /CERT|UNABLE_TO|SELF_SIGNED/.test(code) ? { status: 0 } : undefined;
}

/** Waits until the server answers anything; the test's own time limit bounds the wait. */
async function answers(server: ChildProcess, endpoint: string): Promise<void> {
  while (server.exitCode === null) {
    const answer = await fetch(endpoint).catch(refusedOf);
    // MinIO answers 503 until it can take requests.
    if (answer !== undefined && answer.status !== 503) return;
    await sleep(100);
  }
  throw new Error(`${server.spawnfile} ended with code ${server.exitCode}`);
}
