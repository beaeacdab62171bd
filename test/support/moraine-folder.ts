/** A project of the library in a folder of its own, without a file of settings. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMoraine, type Moraine } from '../../index.js';

export class MoraineFolder {
  readonly folder: string;
  readonly moraine: Moraine;

  private constructor(folder: string, moraine: Moraine) {
    this.folder = folder;
    this.moraine = moraine;
  }

  static async open(): Promise<MoraineFolder> {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-library-')));
    const config = { engine: { threads: 2 } };
    return new MoraineFolder(folder, await createMoraine({ config, cwd: folder, fileFolders: [folder] }));
  }

  async close(): Promise<void> {
    await this.moraine.close();
    rmSync(this.folder, { recursive: true });
  }

  /** @param lines CSV with a header */
  async append(table: string, lines: readonly string[]): Promise<void> {
    const path = join(this.folder, 'append.csv');
    writeFileSync(path, `${lines.join('\n')}\n`);
    await this.moraine.appendFile(table, path, { create: true });
  }

  rowsOf(table: string): Promise<readonly string[]> {
    return trainingRows(this.moraine, table);
  }
}

/** The rows of a training set's table as text, sorted. */
export async function trainingRows(moraine: Moraine, table: string): Promise<readonly string[]> {
  const pulled = await moraine.pullAll({ source: { table }, joinKeys: [], timestampField: 'event_timestamp' });
  try {
    return (await pulled.toRows()).map((row) => JSON.stringify(row)).sort();
  } finally {
    await pulled.close();
  }
}
