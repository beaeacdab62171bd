/** Tables that are not where their catalogs say: those of the project, and those of others. */
import { expect, onTestFinished, test } from 'vitest';
import type { Catalog } from '../../../catalogs/index.js';
import { MoraineError } from '../../../errors/index.js';
import { findMovedLocations, openProject } from '../../../project/index.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const OTHERS = 's3://others/sales/orders/metadata/1.metadata.json';
const GONE = 's3://lake/w/sales/gone/metadata/1.metadata.json';

/** Has one table outside the storage roots, and one whose metadata file is gone. */
const CATALOG = {
  listNamespaces: (parent?: readonly string[]) => Promise.resolve(parent === undefined ? [['sales']] : []),
  listTables: (namespace: readonly string[]) =>
    Promise.resolve(['orders', 'gone'].map((name) => ({ namespace, name }))),
  loadTable: ({ name }: { readonly name: string }) =>
    Promise.reject(
      name === 'gone'
        ? new MoraineError('FILE_NOT_FOUND', 'There is no such file.', { details: { location: GONE } })
        : new MoraineError('LOCATION_REFUSED', 'It is outside.', { details: { location: OTHERS } }),
    ),
} as unknown as Catalog;

const TYPES = {
  glue: { type: 'glue', warehouse: 's3://lake/w', options: { 'glue.region': 'eu-central-1' } },
  sql: { type: 'sql', uri: 'catalog.db', warehouse: 's3://lake/w' },
} as const;

/** docs/catalogs.md: "Tables of the account outside `storage.roots` are not read." A SQL catalog is the project's own. */
test.each([
  ['glue', { lost: [{ table: 'lake/sales.gone', location: GONE }], elsewhere: ['lake/sales.orders'] }],
  [
    'sql',
    {
      lost: [
        { table: 'lake/sales.orders', location: OTHERS },
        { table: 'lake/sales.gone', location: GONE },
      ],
      elsewhere: [],
    },
  ],
] as const)("a table of %s outside the storage roots is somebody else's, or lost", async (type, expected) => {
  const project = await openProject({ config: { catalogs: { lake: TYPES[type] } }, cwd: temporaryFolder() });
  onTestFinished(() => project.close());
  const found = await findMovedLocations({ ...project, catalog: () => Promise.resolve(CATALOG) });
  expect(found).toEqual({ proposed: [], ...expected });
});
