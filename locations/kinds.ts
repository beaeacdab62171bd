/** The two kinds of names that files have, told apart by the compiler. */

declare const kind: unique symbol;

/**
 * The name of a file or folder in a storage, as catalogs, metadata and manifests hold it: `s3://bucket/key`, `file:///w/t`, `/w/t`.
 * It is compared, recorded and given to a `FileIO`; never to the engine or to `node:fs`. Any text may be taken for one, but no
 * {@link LocalPath}.
 */
export type Location = string & { readonly [kind]?: 'location' };

/**
 * The absolute path of a file or folder of this machine, as DuckDB and `node:fs` open it: symbolic links are resolved and it lies where
 * files may be touched. A {@link Location} becomes one only by the storage's `localFiles`, or by fetching the file.
 */
export type LocalPath = string & { readonly [kind]: 'local path' };

/** A path that this process made up or checked itself: of a temporary file, or a user's input. */
export const localPath = (path: string): LocalPath => path as LocalPath;
