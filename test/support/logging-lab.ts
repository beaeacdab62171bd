/** A project whose sources, online tables and logs a test fills step by step. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMoraine, type Moraine } from '../../client/index.js';
import { parseType } from '../../iceberg/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps } from '../../project/index.js';

export class LoggingLab {
  readonly folder: string;
  readonly moraine: Moraine;
  #files = 0;

  private constructor(folder: string, moraine: Moraine) {
    this.folder = folder;
    this.moraine = moraine;
  }

  /** The caller closes it, which removes it. */
  static async open(): Promise<LoggingLab> {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-logging-')));
    const config = { engine: { memoryLimit: '500MB', threads: 2 } };
    return new LoggingLab(folder, await createMoraine({ cwd: folder, config, fileFolders: [folder] }));
  }

  async close(): Promise<void> {
    await this.moraine.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Creates a table; columns are `name: type`. */
  async createTable(name: string, columns: Readonly<Record<string, string>>): Promise<void> {
    const fields = Object.entries(columns).map(([column, type], index) => {
      return { id: index + 1, name: column, required: false, type: parseType(type) };
    });
    await this.moraine.createTable(name, { schema: { schemaId: 0, identifierFieldIds: [], fields } });
  }

  /** Appends rows, given as JSON Lines would have them, in one commit. */
  async append(name: string, rows: readonly object[]): Promise<void> {
    const file = join(this.folder, `rows-${this.#files++}.jsonl`);
    writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    await this.moraine.appendFile(name, file);
  }

  async materialize(...views: readonly string[]): Promise<void> {
    for (const view of views) await materializeDirect(await materializationDeps(this.moraine.project), { view });
  }
}
