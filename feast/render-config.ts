/** The text of `moraine.yaml`. */
import { isAbsolute, relative } from 'node:path';
import { stringify } from 'yaml';
import type { ConfigInput } from '../config/index.js';
import { isReference } from './expand-variables.js';
import type { StorageOptions } from './import-config.js';
import { Secrets } from './secrets.js';

/** @param place the Feast project's name, and the absolute path of the folder that the file is for */
export function renderConfig(
  config: ConfigInput,
  storageOptions: readonly StorageOptions[],
  place: { readonly project: string; readonly folder: string },
): string {
  const catalogs = Object.entries(config.catalogs ?? {}).map(([name, catalog]) => [
    name,
    { ...catalog, uri: pathIn(place.folder, catalog.uri), warehouse: pathIn(place.folder, catalog.warehouse) },
  ]);
  const roots = config.storage?.roots?.map((root) => pathIn(place.folder, root));
  const value = {
    ...config,
    ...(catalogs.length === 0 ? {} : { catalogs: Object.fromEntries(catalogs) as unknown }),
    ...(roots === undefined ? {} : { storage: { ...config.storage, roots } }),
  };
  const parts = [
    `# Imported from the Feast project ${JSON.stringify(place.project)} by \`moraine import feast\`. Paths are relative to this file.\n`,
    stringify(value, { lineWidth: 0 }),
    ...storageOptions.map(renderOptions),
  ];
  return parts.join('\n');
}

/** A path inside the folder as one that moves with it; another one stays absolute. `$` would begin a variable. */
function pathIn(folder: string, path: string | undefined): string | undefined {
  // An address is what it is; its references are variables.
  if (path === undefined || !isAbsolute(path)) return path;
  const inside = relative(folder, path);
  const text = inside === '' ? '.' : inside.startsWith('..') || isAbsolute(inside) ? path : inside;
  return text.replaceAll('${', '$${');
}

/** Options as comments: no secret is copied, and the file stays one that can be loaded. */
function renderOptions({ place, options }: StorageOptions): string {
  const lines = [...options].map(([key, value]) =>
    `#   ${key}: ${shownValue(place, key, value)}`.replace(/\s+/g, ' ').replace(/^# /, '#   '),
  );
  return `# storage_options of Feast's ${place}, which nothing reads here. Values that may be secret were not copied.\n${lines.join('\n')}\n`;
}

/** Texts that are written out are quoted. */
function shownValue(place: string, key: string, value: string): string {
  const shown = new Secrets().shown(place, key, value);
  return shown === value && !isReference(value) ? JSON.stringify(value) : shown;
}
