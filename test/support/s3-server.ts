/** An S3 server on this machine: moto, from PyPI. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { freePorts } from '../../workers/server/free-ports.js';
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

/** Starts a server without buckets. */
export async function startS3Server(): Promise<S3Server> {
  const python = pythonEnvironment(join(projectRoot, 'test/interop/requirements-moto.txt'));
  const [port = 0] = await freePorts(1);
  const server = spawn(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', `${port}`], { stdio: 'ignore' });
  const endpoint = `http://127.0.0.1:${port}`;
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
    },
  };
}

/** Waits until the server answers; the test's own time limit bounds the wait. */
async function answers(server: ChildProcess, endpoint: string): Promise<void> {
  while (server.exitCode === null) {
    const answer = await fetch(`${endpoint}/moto-api/`).catch(() => undefined);
    if (answer !== undefined) return;
    await sleep(100);
  }
  throw new Error(`moto ended with code ${server.exitCode}`);
}
