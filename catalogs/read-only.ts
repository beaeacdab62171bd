/** Catalogs that take no changes. */
import { MoraineError } from '../errors/index.js';
import type { Catalog } from './catalog.js';

/** The error of a change. @param catalog its name */
export function readOnly(catalog: string): MoraineError {
  const message = `Catalog ${catalog} is read through Trino and cannot be changed: write to another catalog of the project, or with Trino.`;
  return new MoraineError('UNSUPPORTED_FEATURE', message);
}

/** @throws MoraineError `UNSUPPORTED_FEATURE` */
export function requireChangeable(catalog: Catalog): void {
  if (catalog.isReadOnly === true) throw readOnly(catalog.name);
}
