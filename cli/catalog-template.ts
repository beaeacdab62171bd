/** The catalog and the storage of a new project's `moraine.yaml`. */
import { stringify } from 'yaml';
import { type ConfigInput, namedVariables, parseConfig } from '../config/index.js';
import { MoraineError } from '../errors/index.js';

/** Options of `moraine init`. */
export interface CatalogChoice {
  /** Where the catalog is: its address, a SQLite file, `glue`, `glue:REGION`, `trino://HOST:PORT/CATALOG` or `memory`. */
  readonly catalog?: string;
  /** Where tables go: a folder, `s3://BUCKET/PREFIX` or `gs://BUCKET/PREFIX`. */
  readonly warehouse?: string | undefined;
  /** `NAME=VALUE`, by the names that PyIceberg gives them. */
  readonly catalogOption?: readonly string[];
  readonly storageOption?: readonly string[];
}

const NAME = 'lake';
/** A catalog of Trino is only read: the project has one of its own beside it. */
const READ_NAME = 'trino';
type CatalogInput = NonNullable<ConfigInput['catalogs']>[string];

/**
 * The keys `catalog`, `catalogs` and `storage` as YAML. References to variables of the environment, `${NAME}`, stay what they are.
 * @param file where it will stand, for messages
 * @throws MoraineError `CONFIG_INVALID` for what could not be loaded, as far as that is known before the variables are; secrets among it
 */
export function catalogConfig(choice: CatalogChoice, file: string): string {
  const isTrino = /^trino(\+http)?:/.test(choice.catalog ?? '');
  const catalog = catalogInput(isTrino ? { warehouse: choice.warehouse } : choice);
  const others = isTrino ? { [READ_NAME]: trinoInput(choice) } : {};
  const options = optionsOf('--storage-option', choice.storageOption);
  // A REST server says where tables go: these are the places that it may choose.
  const roots = catalog.type === 'rest' && choice.warehouse !== undefined ? { roots: [choice.warehouse] } : {};
  const storage = { ...roots, ...(options === undefined ? {} : { options }) };
  const text = stringify(
    {
      catalog: NAME,
      catalogs: { [NAME]: catalog, ...others },
      ...(Object.keys(storage).length === 0 ? {} : { storage }),
    },
    { lineWidth: 0 },
  );
  parseConfig(text, { file, env: standIns(text) });
  return text;
}

function catalogInput({ catalog = '.moraine/catalog.db', warehouse, catalogOption }: CatalogChoice): CatalogInput {
  const place = warehouse === undefined ? {} : { warehouse };
  const given = optionsOf('--catalog-option', catalogOption);
  const options = given === undefined ? {} : { options: given };
  const region = /^glue(?::(.+))?$/.exec(catalog);
  if (region !== null) {
    const all = { ...(region[1] === undefined ? {} : { 'glue.region': region[1] }), ...given };
    return { type: 'glue', ...place, ...(Object.keys(all).length === 0 ? {} : { options: all }) };
  }
  if (catalog === 'memory') return { type: 'memory', ...place, ...options };
  if (/^https?:/.test(catalog)) return { type: 'rest', uri: catalog, ...options };
  if (catalog.startsWith('thrift:')) return { type: 'hive', uri: catalog, ...place, ...options };
  return { type: 'sql', uri: catalog, warehouse: warehouse ?? 'warehouse', ...options };
}

/** `trino://HOST:PORT/CATALOG`, by TLS, or `trino+http://..` without it. */
function trinoInput({ catalog = '', catalogOption }: CatalogChoice): CatalogInput {
  const uri = catalog.replace(/^trino:/, 'https:').replace(/^trino\+http:/, 'http:');
  const options = optionsOf('--catalog-option', catalogOption);
  return { type: 'trino', uri, ...(options === undefined ? {} : { options }) };
}

function optionsOf(flag: string, given: readonly string[] | undefined): Record<string, string> | undefined {
  if (given === undefined) return undefined;
  const entries = given.map((each) => {
    const at = each.indexOf('=');
    if (at > 0) return [each.slice(0, at), each.slice(at + 1)] as const;
    // What is there may be a secret.
    throw new MoraineError('INVALID_ARGUMENT', `${flag} must be NAME=VALUE, for example s3.region=eu-central-1`);
  });
  return Object.fromEntries(entries);
}

/** A value for each variable that a text names: one that can be an address, or the part of one. */
function standIns(text: string): Readonly<Record<string, string>> {
  const isWhole = (name: string): boolean => text.includes(`: \${${name}}\n`);
  return Object.fromEntries(namedVariables(text).map((name) => [name, isWhole(name) ? 'https://x' : 'x']));
}
