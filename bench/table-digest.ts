/** Digests of what runs have made, as figures. */
import { digestRows, readableScanSql } from '../engine/index.js';
import { currentSchema, currentSnapshot } from '../iceberg/index.js';
import type { Project } from '../project/index.js';
import { fileToOpen, openFiles } from '../scans/index.js';
import { loadTable, planFiles } from '../tables/index.js';

/** A number that tells rows apart: the first 48 bits of their digest. */
export const numberOfDigest = (digest: string): number => Number.parseInt(digest.slice(0, 12), 16);

/** The number of the digest of a table's rows. */
export async function digestOfTable(
  project: Project,
  made: { readonly namespace: readonly string[]; readonly name: string },
): Promise<number> {
  const table = await loadTable(await project.catalog(), project.io, made);
  const schema = currentSchema(table.metadata);
  const { files } = await planFiles(table, { snapshot: currentSnapshot(table.metadata), schema });
  const engine = await project.engine();
  const { digest } = await engine.withConnection(async (connection) => {
    const opened = await openFiles(connection, table, files.map(fileToOpen));
    const rows = await readableScanSql(connection, { ...opened, schema });
    return await digestRows(connection, `SELECT * FROM ${rows}`, schema);
  });
  return numberOfDigest(digest);
}
