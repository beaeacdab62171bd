/** S3 servers on this machine: moto, from PyPI, and MinIO, from the Go proxy. */
import { type ChildProcess, type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
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

/** Files of a certificate, of its key, and of the authority that vouches for it. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
}

/** A server that takes users in and sends them away. */
export interface ServerWithUsers extends S3Server {
  /** Adds a user, whose access key is the name. @param policy an IAM policy as JSON; unless given, the user may do everything */
  makeUser(name: string, secret: string, policy?: string): Promise<void>;
  removeUser(name: string): Promise<void>;
  /** Makes an object as old as told. @param location `s3://bucket/key` */
  age(location: string, modified: Date): Promise<void>;
}

const MINIO = 'v0.0.0-20260212201848-7aac2a2c5b7c';

/** The one key by which MinIO encrypts objects, for those who ask for that. */
export const KMS_KEY = 'key-of-the-tests';

/** The path of MinIO. The first call on a machine compiles it, which takes minutes. */
export function minioProgram(): string {
  const folder = keptInCache(`minio-${MINIO}`, (staging) => {
    process.stderr.write('tests: compiling MinIO (once) ...\n');
    const env = { ...process.env, GOBIN: staging, CGO_ENABLED: '0' };
    execFileSync('go', ['install', `github.com/minio/minio@${MINIO}`], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  });
  return join(folder, 'minio');
}

/**
 * Starts a MinIO without buckets, which checks the rights of its users and gives them sessions (STS). Objects are files of a
 * temporary folder.
 */
export async function startMinio(certificate?: Certificate): Promise<ServerWithUsers> {
  const program = minioProgram();
  const python = pythonEnvironment(join(projectRoot, 'test/interop/requirements-minio.txt'));
  const data = mkdtempSync(join(tmpdir(), 'moraine-minio-'));
  const [port = 0, consolePort = 0] = await freePorts(2);
  const { accessKeyId, secretAccessKey } = KEYS;
  const certificates = join(data, '.certificates');
  mkdirSync(certificates);
  if (certificate !== undefined) {
    copyFileSync(certificate.certificate, join(certificates, 'public.crt'));
    copyFileSync(certificate.key, join(certificates, 'private.key'));
  }
  const where = ['--address', `127.0.0.1:${port}`, '--console-address', `127.0.0.1:${consolePort}`];
  const server = spawn(program, ['server', '--quiet', ...where, '--certs-dir', certificates, join(data, 'objects')], {
    stdio: 'ignore',
    env: {
      ...process.env,
      MINIO_ROOT_USER: accessKeyId,
      MINIO_ROOT_PASSWORD: secretAccessKey,
      MINIO_BROWSER: 'off',
      MINIO_KMS_SECRET_KEY: `${KMS_KEY}:${Buffer.alloc(32, 7).toString('base64')}`,
    },
  });
  const endpoint = `${certificate === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  const clean = () => rmSync(data, { recursive: true, force: true });
  const store = await started(server, endpoint, clean, certificate?.authority);
  const administer = administrator(spawn(python, [USERS, endpoint, accessKeyId, secretAccessKey]));
  return {
    ...store,
    makeUser: (name, secret, policy) => administer.ask(['add', name, secret, policy ?? null]),
    removeUser: (name) => administer.ask(['remove', name]),
    age: (location, modified) => putAged(store.client, location, modified),
    close: async () => {
      await administer.close();
      await store.close();
    },
  };
}

/** Puts an object again, as a replication of MinIO does, which keeps times. */
async function putAged(client: S3Client, location: string, modified: Date): Promise<void> {
  const [Bucket = '', ...key] = location.slice('s3://'.length).split('/');
  const object = { Bucket, Key: key.join('/') };
  const found = await client.send(new GetObjectCommand(object));
  const Body = (await found.Body?.transformToByteArray()) ?? new Uint8Array();
  const put = new PutObjectCommand({ ...object, Body, Metadata: found.Metadata ?? {} });
  put.middlewareStack.add(
    (next) => (sent) => {
      const { headers } = sent.request as { readonly headers: Record<string, string> };
      headers['x-minio-source-replication-request'] = 'true';
      headers['x-minio-source-mtime'] = modified.toISOString();
      return next(sent);
    },
    { step: 'build', name: 'keepTime' },
  );
  await client.send(put);
}

const USERS = join(projectRoot, 'test/interop/programs/minio_users.py');

/** The program that changes users; it answers each request with a line. */
function administrator(program: ChildProcessWithoutNullStreams) {
  const answers = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
  let last = Promise.resolve();
  const ask = async (request: readonly unknown[]): Promise<void> => {
    program.stdin.write(`${JSON.stringify(request)}\n`);
    const answer: unknown = (await answers.next()).value;
    if (answer !== 'done') throw new Error(`MinIO's users were not changed: ${String(answer)}`);
  };
  return {
    ask: async (request: readonly unknown[]): Promise<void> => {
      const asked = last.then(() => ask(request));
      last = asked.catch(() => undefined);
      await asked;
    },
    close: async (): Promise<void> => {
      const ended = once(program, 'exit');
      program.stdin.end();
      await ended;
    },
  };
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
