/** Paths of a REST catalog. Source: Iceberg REST catalog specification. */
import { MoraineError } from '../../errors/index.js';
import type { TableIdentifier } from '../catalog.js';
import { checkName, checkNamespace } from '../names.js';

/** Between the levels of a namespace in a path, unless the server's configuration says otherwise: the unit separator, encoded. */
const NAMESPACE_SEPARATOR = '%1F';

/** What a server's configuration says about its paths. */
export interface PathSettings {
  /** As it stands in paths, encoded by the server. */
  readonly prefix?: string | undefined;
  /** Encoded. */
  readonly separator?: string | undefined;
}

/** Makes the paths of one catalog. */
export class RestPaths {
  readonly #base: string;
  readonly #separator: string;

  constructor({ prefix, separator }: PathSettings) {
    this.#base = prefix === undefined || prefix === '' ? '/v1' : `/v1/${prefix}`;
    this.#separator = separator ?? NAMESPACE_SEPARATOR;
  }

  /** Whatever is neither a namespace nor a table. */
  of(path: string): string {
    return `${this.#base}/${path}`;
  }

  namespaces(query: Readonly<Record<string, string>> = {}): string {
    return this.#withQuery(this.of('namespaces'), query);
  }

  /** A namespace as a path has it. @throws MoraineError `INVALID_ARGUMENT` */
  encodedNamespace(namespace: readonly string[]): string {
    checkNamespace(namespace);
    const plain = decodeURIComponent(this.#separator);
    for (const level of namespace) {
      if (level.includes(plain)) throw unsuitable(level, 'it contains the separator of namespace levels');
    }
    return namespace.map(encoded).join(this.#separator);
  }

  namespace(namespace: readonly string[], below = '', query: Readonly<Record<string, string>> = {}): string {
    return this.#withQuery(this.of(`namespaces/${this.encodedNamespace(namespace)}${below}`), query);
  }

  table({ namespace, name }: TableIdentifier, query: Readonly<Record<string, string>> = {}): string {
    checkName('Table name', name);
    return this.namespace(namespace, `/tables/${encoded(name)}`, query);
  }

  view({ namespace, name }: TableIdentifier): string {
    checkName('Table name', name);
    return this.namespace(namespace, `/views/${encoded(name)}`);
  }

  #withQuery(path: string, query: Readonly<Record<string, string>>): string {
    const entries = Object.entries(query).map(([name, value]) => `${name}=${value}`);
    return entries.length === 0 ? path : `${path}?${entries.join('&')}`;
  }
}

/** A name as one segment of a path. */
function encoded(name: string): string {
  if (/^\.\.?$/.test(name)) throw unsuitable(name, 'addresses take it for a folder');
  if (/\p{Cs}/u.test(name)) throw unsuitable(name, 'it is no text of Unicode');
  return encodeURIComponent(name).replaceAll("'", '%27');
}

function unsuitable(name: string, reason: string): MoraineError {
  return new MoraineError('INVALID_ARGUMENT', `${JSON.stringify(name)} cannot be a name in a REST catalog: ${reason}.`);
}
