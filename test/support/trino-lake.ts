/** S3, tables whose names are in PostgreSQL, and Trino over both. */
import { readFileSync } from 'node:fs';
import { openSqlCatalog } from '../../catalogs/index.js';
import { openStorage } from '../../storage/index.js';
import { startPostgres } from './postgres-server.js';
import { type S3Server, startS3Server } from './s3-server.js';
import { onPostgres, startTrino } from './trino-server.js';

const WAREHOUSE = 's3://lake/door';

/** Servers that run already, of who works on these tests: a file with their addresses. */
const dev = process.env['MORAINE_DEV_SERVERS'];

export interface TrinoLake {
  /** Address of Trino. Its catalog is called `door`, as ours. */
  readonly trino: string;
  /** The database with the names. */
  readonly database: string;
  /** Of `moraine.yaml`: where tables are. */
  readonly place: {
    readonly catalogs: { readonly door: { readonly type: 'sql'; readonly uri: string; readonly warehouse: string } };
    readonly storage: { readonly roots: string[]; readonly options: Record<string, string> };
  };
  /** Kills Trino and starts it again in its place; undefined where it is not ours. */
  readonly restartTrino: (() => Promise<void>) | undefined;
  close(): Promise<void>;
}

export async function startTrinoLake(): Promise<TrinoLake> {
  if (dev !== undefined) {
    const { options, database, trino } = JSON.parse(readFileSync(dev, 'utf8')) as {
      readonly options: S3Server['options'];
      readonly database: string;
      readonly trino: string;
    };
    const place = placeOf(database, options);
    return { trino, database, place, restartTrino: undefined, close: () => Promise.resolve() };
  }
  const store = await startS3Server();
  await store.makeBucket('lake');
  const postgres = await startPostgres();
  const database = await postgres.makeDatabase();
  const io = await openStorage({ roots: ['s3://lake'], options: store.options });
  // Makes the tables of names, which Trino does not.
  const names = await openSqlCatalog({ name: 'door', uri: database, warehouse: WAREHOUSE, io });
  await names.createNamespace(['shop']);
  await names.close();
  const catalogs = { door: onPostgres(database, 'door', WAREHOUSE) };
  let trino = await startTrino(store, catalogs);
  return {
    trino: trino.address,
    database,
    place: placeOf(database, store.options),
    restartTrino: async () => {
      const port = Number(new URL(trino.address).port);
      await trino.close();
      trino = await startTrino(store, catalogs, { port });
    },
    close: async () => {
      await trino.close();
      await postgres.close();
      await store.close();
    },
  };
}

const placeOf = (database: string, options: S3Server['options']): TrinoLake['place'] => ({
  catalogs: { door: { type: 'sql', uri: database, warehouse: WAREHOUSE } },
  storage: { roots: ['s3://lake'], options: { ...options } },
});
