/** The catalog of AWS Glue: an entry per table that points at its metadata file, as Athena, Spark and PyIceberg read it. */
import { proxyAgentsFor, silenceVersionWarning } from '../../storage/index.js';
import type { Catalog } from '../catalog.js';
import { PointerCatalog, type PointerCatalogOptions } from '../pointer-catalog.js';
import { glueClientConfig } from './glue-options.js';
import { GlueStore } from './glue-store.js';

export interface GlueCatalogOptions extends PointerCatalogOptions {
  /** Options under the names that PyIceberg gives them: `glue.region`, `glue.id` and others. */
  readonly options?: Readonly<Record<string, string>>;
}

/** Reads are tried this many times, with waits in between. */
const READ_ATTEMPTS = 5;

/** What people may see of where a catalog is: its region or endpoint, and its account. */
export function gluePlace(
  options: Readonly<Record<string, string>>,
  environment: NodeJS.ProcessEnv = process.env,
): string {
  const place = options['glue.endpoint'] ?? glueClientConfig(options, environment).region;
  const account = options['glue.id'];
  return account === undefined ? place : `${place}, ${account}`;
}

/**
 * Opens the catalog of an AWS account in a region. Nothing is asked of it yet.
 * @throws MoraineError `CONFIG_INVALID`
 */
export async function openGlueCatalog(options: GlueCatalogOptions): Promise<Catalog> {
  const settings = options.options ?? {};
  const { region } = glueClientConfig(settings);
  const agents = await proxyAgentsFor(settings['glue.endpoint'] ?? `https://glue.${region}.amazonaws.com`);
  const config = glueClientConfig(settings, process.env, agents);
  silenceVersionWarning();
  const sdk = await import('@aws-sdk/client-glue');
  const clients = {
    sdk,
    reading: new sdk.GlueClient({ ...config, maxAttempts: READ_ATTEMPTS }),
    changing: new sdk.GlueClient({ ...config, maxAttempts: 1 }),
  };
  return new PointerCatalog(options, new GlueStore(clients, gluePlace(settings), settings['glue.id']));
}
