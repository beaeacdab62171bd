/** The catalog of a Hive metastore: a table there points at its metadata file, as Java, Spark, Trino and PyIceberg read it. */
import { userInfo } from 'node:os';
import { MoraineError } from '../../errors/index.js';
import type { Catalog } from '../catalog.js';
import { PointerCatalog, type PointerCatalogOptions } from '../pointer-catalog.js';
import type { HiveAddress } from './hive-connection.js';
import { answerTimeoutMs } from './hive-options.js';
import { HiveStore } from './hive-store.js';
import { Metastore } from './metastore.js';

export interface HiveCatalogOptions extends PointerCatalogOptions {
  /** `thrift://HOST:PORT`, or several with commas between them: the next one is asked where one does not answer. */
  readonly uri: string;
  /**
   * `ugi`: the user that is said to call; that of the process unless given. `hive.metastore.client.socket.timeout`: how long an answer may
   * take, 60 s unless given.
   */
  readonly options?: Readonly<Record<string, string>>;
}

const DEFAULT_PORT = 9083;

/**
 * The addresses of a `uri` of {@link HiveCatalogOptions}.
 * @throws MoraineError `CONFIG_INVALID`
 */
export function hiveAddresses(uri: string): readonly HiveAddress[] {
  return uri.split(',').map((each) => {
    const match = /^thrift:\/\/(\[[\da-f:]+\]|[^/:@\s]+)(?::(\d{1,5}))?\/?$/i.exec(each.trim());
    if (match === null) {
      const message = `The address ${JSON.stringify(each.trim())} of a Hive metastore must be thrift://HOST:PORT.`;
      throw new MoraineError('CONFIG_INVALID', message, { details: { option: 'uri' } });
    }
    const [, host = '', port] = match;
    return { host: host.replace(/^\[|\]$/g, ''), port: port === undefined ? DEFAULT_PORT : Number(port) };
  });
}

/**
 * Opens the catalog of a metastore. Nothing is asked of it yet.
 * @throws MoraineError `CONFIG_INVALID`
 */
export async function openHiveCatalog(options: HiveCatalogOptions): Promise<Catalog> {
  const user = options.options?.['ugi'];
  const answerMs = answerTimeoutMs(options.options ?? {});
  const metastore = new Metastore(hiveAddresses(options.uri), { user, answerMs });
  const owner = user ?? userInfo().username;
  const store = new HiveStore(metastore, { place: options.uri, owner, warehouse: options.warehouse });
  return new PointerCatalog(options, store);
}
