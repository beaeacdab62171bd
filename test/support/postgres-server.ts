/** A PostgreSQL server of the tests' own, on a free port of this machine. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { freePorts } from '../../workers/server/free-ports.js';

const HOME = '/usr/lib/postgresql';
const USER = 'moraine';
export const PASSWORD = 'canary-password-of-the-tests';

/** The folder of PostgreSQL's programs; undefined where it is not installed. */
export function postgresPrograms(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(':')];
  if (existsSync(HOME)) folders.push(...readdirSync(HOME).map((version) => join(HOME, version, 'bin')));
  return folders.find((folder) => ['initdb', 'postgres'].every((name) => existsSync(join(folder, name))));
}

/** A running server. */
export interface PostgresServer {
  /** Makes an empty database, and gives its `uri`. */
  makeDatabase(options?: { readonly settings?: readonly string[] }): Promise<string>;
  /** Ends all connections to a database, as a restart of the server does. */
  disconnect(uri: string): Promise<void>;
  query(uri: string, sql: string): Promise<readonly Record<string, unknown>[]>;
  /** The server dies, with everything that is under way, and comes back with what was committed. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export async function startPostgres(): Promise<PostgresServer> {
  const programs = postgresPrograms();
  if (programs === undefined) throw new Error('PostgreSQL is not installed');
  const home = mkdtempSync(join(tmpdir(), 'moraine-postgres-'));
  const passwordFile = join(home, 'password');
  writeFileSync(passwordFile, PASSWORD);
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? idsOf('postgres') : undefined;
  if (user !== undefined) for (const path of [home, passwordFile]) chownSync(path, user.uid, user.gid);
  const as = user ?? {};
  const data = join(home, 'data');
  const how = ['-D', data, '-U', USER, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '--no-sync', '-E', 'UTF8'];
  execFileSync(join(programs, 'initdb'), how, { ...as, cwd: home, stdio: ['ignore', 'ignore', 'inherit'] });
  const [port = 0] = await freePorts(1);
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off', `port=${port}`];
  const options = ['-D', data, ...settings.flatMap((each) => ['-c', each])];
  const start = () => spawn(join(programs, 'postgres'), options, { ...as, cwd: home, stdio: 'ignore' });
  let server = start();
  const end = async (): Promise<void> => {
    const ended = once(server, 'exit');
    server.kill('SIGQUIT');
    await ended;
  };
  const uriOf = (database: string) => `postgresql://${USER}:${PASSWORD}@127.0.0.1:${port}/${database}`;
  const query = async (uri: string, sql: string): Promise<Record<string, unknown>[]> => {
    const client = new pg.Client({ connectionString: uri });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  await answers(server, () => query(uriOf('postgres'), 'SELECT 1'));
  let databases = 0;
  return {
    makeDatabase: async ({ settings: own = [] } = {}) => {
      databases += 1;
      const name = `test${databases}`;
      await query(uriOf('postgres'), `CREATE DATABASE ${name} TEMPLATE template0`);
      for (const setting of own) await query(uriOf('postgres'), `ALTER DATABASE ${name} SET ${setting}`);
      return uriOf(name);
    },
    disconnect: async (uri) => {
      const name = new URL(uri).pathname.slice(1);
      const sql = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`;
      await query(uriOf('postgres'), sql);
    },
    query,
    restart: async () => {
      await end();
      server = start();
      await answers(server, () => query(uriOf('postgres'), 'SELECT 1'));
    },
    close: async () => {
      await end();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function idsOf(user: string): { readonly uid: number; readonly gid: number } {
  const id = (flag: string): number => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

async function answers(server: ChildProcess, ask: () => Promise<unknown>): Promise<void> {
  while (server.exitCode === null) {
    const hasAnswered = await ask().then(
      () => true,
      () => false,
    );
    if (hasAnswered) return;
    await sleep(50);
  }
  throw new Error(`PostgreSQL ended with code ${server.exitCode}`);
}
