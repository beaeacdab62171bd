import { isMoraineError } from '../errors/index.js';
import type { Catalog } from './catalog.js';

/** Creates a namespace and those around it, as far as they are missing; another process may do the same meanwhile. */
export async function ensureNamespace(catalog: Catalog, namespace: readonly string[]): Promise<void> {
  for (let depth = 1; depth <= namespace.length; depth++) {
    const parent = namespace.slice(0, depth);
    if (await catalog.namespaceExists(parent)) continue;
    try {
      await catalog.createNamespace(parent);
    } catch (error) {
      if (!isMoraineError(error, 'NAMESPACE_ALREADY_EXISTS')) throw error;
    }
  }
}
