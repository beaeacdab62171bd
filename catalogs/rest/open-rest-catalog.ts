/** Opening a REST catalog: the server says of itself what it is. */
import type { StorageGrants } from '../../storage/index.js';
import type { Catalog } from '../catalog.js';
import { type Clock, SYSTEM_CLOCK } from '../clock.js';
import { NessieCatalog } from '../nessie/nessie-catalog.js';
import { NessieLog } from '../nessie/nessie-log.js';
import { parseReference, prefixOf } from '../nessie/nessie-reference.js';
import { RestCatalog, type RestCatalogPlace } from './rest-catalog.js';
import { RestClient } from './rest-client.js';
import { RestFailure } from './rest-failure.js';
import { DELEGATION } from './rest-grants.js';
import { maxSnapshots, type RestOptions } from './rest-options.js';
import { unavailable } from './rest-refusals.js';
import { askServer, checkedPrefix } from './rest-server.js';
import { requestSigner } from './rest-signing.js';

export interface RestCatalogOptions {
  readonly name: string;
  /** `https://host/path`, before `/v1`. */
  readonly uri: string;
  /** What the server calls the warehouse; needed where it has several. */
  readonly warehouse?: string;
  /** Options under the names that PyIceberg gives them: `token`, `credential`, `scope`, `header.NAME` and others. */
  readonly options?: RestOptions;
  readonly clock?: Clock;
  /** Where to keep the access to tables' files that the server gives; without it none is asked for. */
  readonly grants?: StorageGrants | undefined;
}

/**
 * Opens a REST catalog: asks the server for its configuration.
 * @throws MoraineError `CATALOG_UNAVAILABLE`, `CONFIG_INVALID`
 */
export async function openRestCatalog({
  name,
  uri,
  warehouse,
  options = {},
  clock = SYSTEM_CLOCK,
  grants,
}: RestCatalogOptions): Promise<Catalog> {
  const sign = await requestSigner(options);
  const delegation = grants === undefined ? {} : DELEGATION;
  const configured = new RestClient(uri, { ...delegation, ...options }, clock, sign);
  try {
    const server = await askServer(configured, options, warehouse);
    const client = configured.at(server.properties.get('uri') ?? configured.address);
    const place = { name, client, server, clock, warehouse, fileOwner: options['maintained-by'], grants };
    return server.properties.get('nessie.is-nessie-catalog') === 'true'
      ? nessieCatalog(place, options)
      : new RestCatalog(place);
  } catch (error) {
    throw error instanceof RestFailure ? unavailable(configured.address, error) : error;
  }
}

function nessieCatalog(place: RestCatalogPlace, options: RestOptions): NessieCatalog {
  const { client, server } = place;
  const core = server.properties.get('nessie.core-base-uri') ?? '/api/';
  const reference = parseReference(checkedPrefix(server.properties.get('prefix')) ?? '');
  return new NessieCatalog({
    rest: new RestCatalog({ ...place, prefix: prefixOf(reference) }),
    // Access to a table's files is the same for all its states.
    at: (prefix) => new RestCatalog({ ...place, prefix, grants: undefined }),
    log: new NessieLog(client.at(`${core.replace(/\/$/, '')}/v2`)),
    reference,
    maxSnapshots: maxSnapshots(options),
  });
}
