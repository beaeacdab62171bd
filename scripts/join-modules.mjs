// Joins the compiled modules into a few files: Node takes longer to find, read and link several hundred small modules than to run them.
// A part that the source loads with `await import` stays a file of its own, so that a command loads no more than it needs.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { rolldown } from 'rolldown';

/** Modules that are loaded by their path. Files of these names are written; a clone without the benchmark or the tests has none of theirs. */
const ENTRIES = [
  'index',
  'cli/main',
  'cli/reference',
  'cli/definitions/typescript-hooks',
  'workers/index',
  'service/offline-entry',
  'testing/index',
  'demo/main',
  'bench/main',
  'bench/child',
  'bench/fit-scale',
  'test/support/internals',
  'test/support/process-internals',
  'test/support/example-servers',
  'test/support/fetch-peers',
];

/** Temporal bundles the workflows itself, from modules; `errors` is the one room that they import. */
const MODULES = ['workflows', 'errors'];

/** The rooms that are not part of the package: what only they need is written into their own folder. */
const UNPUBLISHED = ['bench', 'demo', 'test'];

/** Modules look for other files of the package beside themselves: they find them from the joined file, too. */
const keepPlaces = (root) => ({
  name: 'keep-places',
  transform: {
    filter: { code: 'import.meta.url' },
    handler(code, id) {
      // Each file that such a module is joined into is one folder deep, as `chunks/NAME.js` is.
      const place = `../${relative(root, id).replaceAll(sep, '/').replace(/\.ts$/, '.js')}`;
      return { code: code.replaceAll('import.meta.url', `new URL('${place}', import.meta.url).href`), map: null };
    },
  },
});

/** The first folder of a path, seen from `root`. */
const roomOf = (root, path) => relative(root, path).split(sep, 1)[0];

/** Where a joined file is written that is not an entry. */
function placeOf(root, { moduleIds }) {
  const isUnpublished = moduleIds.length > 0 && moduleIds.every((id) => UNPUBLISHED.includes(roomOf(root, id)));
  return isUnpublished ? 'bench/[name].js' : 'chunks/[name].js';
}

/** Deletes the compiled modules but those that stay modules. Declarations and CommonJS files stay, too. */
function removeModules(folder) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (/\.js(\.map)?$/.test(entry.name) && !MODULES.includes(roomOf(folder, path))) rmSync(path);
  }
}

/**
 * @param root the folder of the sources
 * @param folder of the compiled modules, which the joined files replace
 */
export async function joinModules(root, folder) {
  const entries = ENTRIES.filter((entry) => existsSync(join(root, `${entry}.ts`)));
  const build = await rolldown({
    cwd: root,
    input: Object.fromEntries(entries.map((entry) => [entry, join(root, `${entry}.ts`)])),
    platform: 'node',
    // Packages are installed beside this one.
    external: /^[^./]/,
    resolve: { extensionAlias: { '.js': ['.ts'] } },
    plugins: [keepPlaces(root)],
    onLog(_level, { message }) {
      throw new Error(message);
    },
  });
  removeModules(folder);
  await build.write({
    dir: folder,
    format: 'esm',
    minifyInternalExports: false,
    sourcemap: true,
    entryFileNames: '[name].js',
    chunkFileNames: (chunk) => placeOf(root, chunk),
  });
  await build.close();
}
