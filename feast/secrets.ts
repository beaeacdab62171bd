/** Option values of a Feast repository that may be secret: variables of the environment take their places. */
import { isReference } from './expand-variables.js';

/** Names of options whose values are not secret; every other value is taken for one. */
const PUBLIC_OPTIONS =
  /(?:^|[.\-_])(?:endpoint|region|path-style-access|force-virtual-addressing|url-style|scheme|id|project-id|user-project|requester-pays|anonymous|no-auth|service\.host|sse\.type|role-session-name|token-expires-at|profile-name|scope|audience|resource|oauth2-server-uri|prefix|sigv4-enabled|signing-name|signing-region|ugi|timeout|timeout-ms|token-refresh-enabled)$/;

export class Secrets {
  readonly #values = new Map<string, string>();

  /** The values of the variables that took their places. They are never written. */
  get values(): ReadonlyMap<string, string> {
    return this.#values;
  }

  /** An option's value as it may be written: itself, or a reference to a variable. */
  shown(place: string, key: string, value: string): string {
    if (isReference(value)) return value.replace(/^\$(\w+)$/, '${$1}');
    const isPublic =
      PUBLIC_OPTIONS.test(key) && !/(?:access-key-id|client-id)$/.test(key) && !/:\/\/[^/]*@/.test(value);
    return isPublic ? value : this.hidden(place, key, value);
  }

  /** The reference to the variable that takes the place of a value. */
  hidden(place: string, key: string, value: string): string {
    const name = `FEAST_${place.replace(/_store$/, '')}_${key}`.replace(/[^A-Za-z0-9]+/g, '_').toUpperCase();
    this.#values.set(name, value);
    return `\${${name}}`;
  }
}
