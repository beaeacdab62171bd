/** Tables whose files really lie in their folders, with a clock of their own: what tests of expiry and sweeps need. */
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Catalog, SYSTEM_CLOCK, type TableIdentifier } from '../../catalogs/index.js';
import { NO_DEFINITIONS } from '../../features/index.js';
import type { DataFile, TableUpdate } from '../../iceberg/index.js';
import type { MaintenanceDeps } from '../../maintenance/index.js';
import type { FileIO } from '../../storage/index.js';
import {
  type CommitResult,
  commitAppend,
  commitOverwrite,
  commitUpdates,
  loadTable,
  type Table,
} from '../../tables/index.js';
import { datedFiles } from './dated-files.js';
import { temporaryFolder } from './temp-folder.js';
import { ageStored, openTestStore, putStored, storedBelow, storedSize } from './test-store.js';

export const DAY_MS = 86_400_000;

const SCHEMA = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [{ id: 1, name: 'id', required: true, type: { kind: 'long' as const } }],
};

export class MaintenanceLab {
  readonly folder: string;
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly deps: MaintenanceDeps;
  /** How many days ago commits are made. */
  daysAgo = 30;
  #files = 0;

  private constructor(folder: string, catalog: Catalog, io: FileIO) {
    this.folder = folder;
    this.catalog = catalog;
    this.io = io;
    this.deps = this.depsWith({});
  }

  static async open(): Promise<MaintenanceLab> {
    const folder = temporaryFolder();
    const made: { lab?: MaintenanceLab } = {};
    const clock = { ...SYSTEM_CLOCK, nowMs: () => Date.now() - (made.lab?.daysAgo ?? 0) * DAY_MS };
    const { io, catalog } = await openTestStore(folder, {
      name: 'test',
      root: join(folder, 'warehouse'),
      clock,
      wrap: datedFiles,
    });
    onTestFinished(() => catalog.close());
    await catalog.createNamespace(['ns']);
    made.lab = new MaintenanceLab(folder, catalog, io);
    return made.lab;
  }

  depsWith(changes: Partial<MaintenanceDeps>): MaintenanceDeps {
    return {
      ...maintenanceDepsOf(
        (name) => this.load(name),
        () => this.#tables(),
      ),
      ...changes,
    };
  }

  async create(
    name: string,
    options: { readonly location?: string; readonly properties?: Readonly<Record<string, string>> } = {},
  ): Promise<Table> {
    const { location, properties } = options;
    await this.catalog.createTable(identifier(name), {
      schema: SCHEMA,
      properties: new Map(Object.entries(properties ?? {})),
      ...(location === undefined ? {} : { location }),
    });
    return this.load(name);
  }

  load(name: string): Promise<Table> {
    return loadTable(this.catalog, this.io, identifier(name));
  }

  /** A file in the table's folder that is as old as told. */
  place(table: Table, path: string, ageDays: number, content = 'x'): string {
    return this.placeAt(`${table.metadata.location}/${path}`, ageDays, content);
  }

  /** Stores a file anywhere. */
  placeAt(location: string, ageDays: number, content = 'x'): string {
    putStored(location, content, ageDays);
    return location;
  }

  /** Appends one new file. */
  async append(name: string, ageDays = 10): Promise<CommitResult & { readonly path: string }> {
    const table = await this.load(name);
    this.#files += 1;
    const path = this.place(table, `data/file-${this.#files}.parquet`, ageDays);
    return { ...(await commitAppend(table, { files: [dataFile(path)] })), path };
  }

  /** Replaces a file by a new one. */
  async replace(name: string, removed: string): Promise<CommitResult & { readonly path: string }> {
    const table = await this.load(name);
    this.#files += 1;
    const path = this.place(table, `data/file-${this.#files}.parquet`, 10);
    return { ...(await commitOverwrite(table, { files: [dataFile(path)], removeFiles: [removed] })), path };
  }

  /** Gives a new table three snapshots, 20, 10 and 0 days old; the first one's file is replaced by the second. */
  async threeSnapshots(name: string) {
    await this.create(name);
    this.daysAgo = 20;
    const first = await this.append(name);
    this.daysAgo = 10;
    const second = await this.replace(name, first.path);
    this.daysAgo = 0;
    const third = await this.append(name);
    return { first, second, third };
  }

  async update(name: string, ...updates: readonly TableUpdate[]): Promise<void> {
    let done = false;
    await commitUpdates(await this.load(name), () => {
      if (done) return null;
      done = true;
      return updates;
    });
  }

  tag(name: string, tag: string, snapshotId: bigint): Promise<void> {
    return this.update(name, { action: 'set-snapshot-ref', refName: tag, ref: { type: 'tag', snapshotId } });
  }

  /** Every file below the table's folder, by its path there. */
  files(table: Table): string[] {
    return storedBelow(table.metadata.location);
  }

  /** Makes every file below a folder older. */
  age(folder: string, days: number): void {
    for (const path of storedBelow(folder)) ageStored(`${folder}/${path}`, days);
  }

  async *#tables(): AsyncGenerator<Table> {
    for (const namespace of await this.catalog.listNamespaces()) {
      for (const each of await this.catalog.listTables(namespace)) yield loadTable(this.catalog, this.io, each);
    }
  }
}

/** The dependencies of maintenance where nothing is registered and no dataset saved. */
export function maintenanceDepsOf(
  loadTable: MaintenanceDeps['loadTable'],
  tables: MaintenanceDeps['tables'],
): MaintenanceDeps {
  return {
    loadTable,
    tables,
    registry: async () => ({
      snapshotId: null,
      definitions: NO_DEFINITIONS,
      versions: new Map(),
      formerNames: new Map(),
    }),
    onlineTable: async () => null,
    isConfigured: async () => true,
    guardedPlaces: async () => [],
    datasets: async () => [],
    nowMs: () => BigInt(Date.now()),
  };
}

export function dataFile(path: string): DataFile {
  const fileSizeInBytes = BigInt(storedSize(path));
  return {
    content: 'data',
    filePath: path,
    fileFormat: 'PARQUET',
    specId: 0,
    partition: [],
    recordCount: 1n,
    fileSizeInBytes,
  };
}

function identifier(name: string): TableIdentifier {
  const [namespace = 'ns', table = ''] = name.split('.');
  return { namespace: [namespace], name: table };
}
