/** S3, tables whose names are in PostgreSQL, and Trino over both. */
import { readFileSync, rmSync } from 'node:fs';
import { openSqlCatalog } from '../../catalogs/index.js';
import { openStorage } from '../../storage/index.js';
import { startPostgres } from './postgres-server.js';
import { type S3Server, startS3Server } from './s3-server.js';
import { makeGuard, type TrinoGuard } from './trino-guard.js';
import { onPostgres, startTrino } from './trino-server.js';

const WAREHOUSE = 's3://lake/door';

/** Servers that run already, of who works on these tests: a file with their addresses. */
const dev = process.env['MORAINE_DEV_SERVERS'];

export interface TrinoLake {
  /** Address of Trino. Its catalog is called `door`, as ours, and also `renamed`; `other` has other tables, whose names are in the same database. */
  readonly trino: string;
  /** Of the same Trino over TLS, where it asks for a password or a token, and who has which; undefined unless asked for. */
  readonly guarded: ({ readonly address: string } & TrinoGuard) | undefined;
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

export async function startTrinoLake({ isGuarded = false } = {}): Promise<TrinoLake> {
  if (dev !== undefined) {
    const { options, database, trino, guarded } = JSON.parse(readFileSync(dev, 'utf8')) as {
      readonly options: S3Server['options'];
      readonly database: string;
      readonly trino: string;
      readonly guarded?: TrinoLake['guarded'];
    };
    const place = placeOf(database, options);
    return { trino, guarded, database, place, restartTrino: undefined, close: () => Promise.resolve() };
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
  const door = onPostgres(database, 'door', WAREHOUSE);
  const catalogs = { door, renamed: door, other: onPostgres(database, 'other', WAREHOUSE) };
  const guard = isGuarded ? makeGuard() : undefined;
  let trino = await startTrino(store, catalogs, { guard });
  return {
    trino: trino.address,
    get guarded() {
      return guard === undefined ? undefined : { address: trino.guardedAddress, ...guard };
    },
    database,
    place: placeOf(database, store.options),
    restartTrino: async () => {
      const port = Number(new URL(trino.address).port);
      await trino.close();
      trino = await startTrino(store, catalogs, { port, guard });
    },
    close: async () => {
      await trino.close();
      await postgres.close();
      await store.close();
      if (guard !== undefined) rmSync(guard.folder, { recursive: true, force: true });
    },
  };
}

const placeOf = (database: string, options: S3Server['options']): TrinoLake['place'] => ({
  catalogs: { door: { type: 'sql', uri: database, warehouse: WAREHOUSE } },
  storage: { roots: ['s3://lake'], options: { ...options } },
});

/** As `moraine.yaml` may have it: secrets are in the environment, which commands and workers get. */
export function placeInFile({ catalogs, storage }: TrinoLake['place']): TrinoLake['place'] {
  const secret = 's3.secret-access-key';
  process.env['LAKE_DATABASE'] = catalogs.door.uri;
  process.env['LAKE_SECRET'] = storage.options[secret];
  return {
    catalogs: { door: { ...catalogs.door, uri: '${LAKE_DATABASE}' } },
    storage: { ...storage, options: { ...storage.options, [secret]: '${LAKE_SECRET}' } },
  };
}
