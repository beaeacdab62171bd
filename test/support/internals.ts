/** Parts of rooms for programs of tests that run as processes of their own. The build writes it to `dist/test/support/internals.js`. */
export { openSqlCatalog } from '../../catalogs/index.js';
export { materializeDirect } from '../../materialization/index.js';
export { materializationDeps, openProject } from '../../project/index.js';
export { LocalFileIO } from '../../storage/index.js';
export { commitAppend, loadTable } from '../../tables/index.js';
