/** A Hive metastore on a free port of this machine, and a proxy in front of one that spoils calls. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { nameOf } from '../../catalogs/hive/hive-table.js';
import { Metastore } from '../../catalogs/hive/metastore.js';
import { hiveAddresses } from '../../catalogs/index.js';
import { freePorts } from '../../workers/server/free-ports.js';
import { startJavaServer } from './java-server.js';
import { startPostgres } from './postgres-server.js';

/** A running metastore. */
export interface HiveServer {
  readonly uri: string;
  readonly port: number;
  /** Drops every table and database: a metastore has one set of names. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts a metastore with a database of its own. It takes locks back after 10 s of silence. (In Derby, which it brings along, calls about
 * locks that come at the same time wait for each other for minutes.)
 * @param folder its own warehouse
 */
export async function startHive(folder: string): Promise<HiveServer> {
  const [port = 0] = await freePorts(1);
  const postgres = await startPostgres();
  const { username, password, host, pathname } = new URL(await postgres.makeDatabase());
  const database = `jdbc:postgresql://${host}${pathname}?user=${username}&password=${password}`;
  const args = [`${port}`, folder, database];
  const { process, close } = await startJavaServer('jars-hive.txt', 'HiveMetastore.java', args);
  process.stdout?.resume();
  while (!(await listens(port))) {
    if (process.exitCode !== null) throw new Error(`the Hive metastore ended with code ${process.exitCode}`);
    await sleep(100);
  }
  const uri = `thrift://127.0.0.1:${port}`;
  return {
    uri,
    port,
    clear: () => clear(uri),
    close: async () => {
      await close();
      await postgres.close();
    },
  };
}

async function clear(uri: string): Promise<void> {
  const metastore = new Metastore(hiveAddresses(uri), { answerMs: 60_000 });
  for (const database of await metastore.databases()) {
    for await (const table of metastore.tables(database)) await metastore.dropTable(database, nameOf(table));
    if (database !== 'default') await metastore.dropDatabase(database);
  }
  metastore.close();
}

async function listens(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/**
 * The fate of a call: it is handed on; `drop` and `lose` cut the connection before and after the metastore has carried it out; `cut` does so in
 * the middle of the answer; `silent` hands it on and keeps the answer back; `unknown-method` is the answer of a metastore that does not have it; `expecting-nothing` is handed on without what the table is
 * expected to be, which a metastore before 4.0 does not look at.
 */
export type CallFate = 'pass' | 'drop' | 'lose' | 'cut' | 'silent' | 'unknown-method' | 'expecting-nothing';

export interface HiveProxy {
  readonly uri: string;
  /** The methods that were called, in order. */
  readonly seen: string[];
  /** Decides about each call; every one passes unless this is set. */
  fateOf: (method: string) => CallFate | Promise<CallFate>;
  close(): Promise<void>;
}

export async function startHiveProxy(port: number): Promise<HiveProxy> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const target = connect({ host: '127.0.0.1', port });
    let fate: CallFate = 'pass';
    for (const socket of [client, target]) {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        open.delete(socket);
        client.destroy();
        target.destroy();
      });
    }
    target.on('data', (bytes) => {
      if (fate === 'lose') client.destroy();
      else if (fate === 'cut') client.write(bytes.subarray(0, bytes.length / 2), () => client.destroy());
      else if (fate !== 'silent') client.write(bytes);
    });
    // A client waits for the answer before it calls again, and each call is written at once.
    client.on('data', (bytes) => {
      void (async () => {
        const method = methodOf(bytes);
        if (method === undefined) return target.write(bytes);
        proxy.seen.push(method);
        fate = await proxy.fateOf(method);
        if (fate === 'drop') return client.destroy();
        if (fate === 'unknown-method') return client.write(unknownMethod(bytes, method));
        return target.write(fate === 'expecting-nothing' ? withoutExpectation(bytes) : bytes);
      })();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: HiveProxy = {
    uri: `thrift://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen: [],
    fateOf: () => 'pass',
    close: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return proxy;
}

const CALL = Buffer.from([0x80, 1, 0, 1]);

function methodOf(bytes: Buffer): string | undefined {
  if (!bytes.subarray(0, 4).equals(CALL)) return undefined;
  return bytes.subarray(8, 8 + bytes.readInt32BE(4)).toString();
}

/** A `TApplicationException`: its message, and its kind, 1. */
function unknownMethod(call: Buffer, method: string): Buffer {
  const head = Buffer.from(call.subarray(0, 12 + method.length));
  head[3] = 3;
  const message = Buffer.from(`Invalid method name: '${method}'`);
  const length = Buffer.alloc(4);
  length.writeInt32BE(message.length);
  return Buffer.concat([head, Buffer.from([11, 0, 1]), length, message, Buffer.from([8, 0, 2, 0, 0, 0, 1, 0])]);
}

function withoutExpectation(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').replaceAll('expected_parameter_', 'xxxxxxxx_parameter_'), 'latin1');
}
