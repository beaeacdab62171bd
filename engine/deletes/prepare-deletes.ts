/** Reading the deletes of a scan's files into temporary tables of its connection, once, before the first row. */
import { randomUUID } from 'node:crypto';
import {
  type ChangedDeletes,
  type DataFile,
  type DeleteFile,
  type FileDeletes,
  hasDeletes,
  type NameMapping,
  NO_DELETES,
  type Schema,
} from '../../iceberg/index.js';
import type { LocalPath, Location } from '../../locations/index.js';
import type { Connection } from '../connection.js';
import type { FileLayout } from '../scan/file-layout.js';
import { quoteIdentifier } from '../sql/sql-text.js';
import type { OpenDeleteFile } from './delete-file-scan.js';
import { createEqualityDeletes, deleteKeys, everyColumn } from './equality-deletes.js';
import { EqualitySets, type FileWithDeletes } from './equality-sets.js';
import {
  addPositionDeletes,
  addVectors,
  createPositions,
  createPositionsOfOne,
  fileNumbersIn,
  type PositionDeletedFile,
} from './position-deletes.js';
import type { AppliedDeletes, EqualityDeletes, ScanDeletes } from './scan-deletes.js';

/** A data file with its deletes, as planning found them. */
export interface FileToPrepare {
  /** As the scan has it. */
  readonly path: string;
  readonly file: DataFile;
  readonly sequenceNumber: bigint;
  readonly deletes?: FileDeletes;
}

/** A data file whose deletes are others in one snapshot than in another. */
export interface ChangedFile extends Omit<FileToPrepare, 'deletes'> {
  readonly changed: ChangedDeletes;
}

export interface DeletesToPrepare<F = FileToPrepare> {
  readonly files: readonly F[];
  /** All schemas of the table: deletes may go by columns that it has dropped. */
  readonly schemas: readonly Schema[];
  readonly nameMapping?: NameMapping | undefined;
  /** Layouts of the data files, if the scan has them. */
  readonly layouts?: ReadonlyMap<string, FileLayout> | undefined;
  /** The path that the file system opens. */
  readonly resolve: (location: Location) => Promise<LocalPath>;
  /** The one spelling of a location, for comparing; never fails. */
  readonly normalize: (location: string) => string;
}

/**
 * Reads the deletes of the files that have any. Undefined: none has.
 * @throws FILE_NOT_FOUND, DELETE_FILE_CORRUPT, UNSUPPORTED_FEATURE, LOCATION_REFUSED naming the delete file; CANCELLED
 */
export async function prepareDeletes(
  connection: Connection,
  request: DeletesToPrepare,
): Promise<ScanDeletes | undefined> {
  const files = request.files.flatMap(({ deletes, ...file }) =>
    deletes !== undefined && hasDeletes(deletes) ? [{ ...file, deletes }] : [],
  );
  return files.length === 0 ? undefined : await new Preparation(connection, request, files).run();
}

/**
 * Reads what differs between the deletes that files have in two snapshots, for a scan of the deleted rows alone: the rows of
 * which a position is deleted in one of the snapshots only, and those that an equality delete of one of them equals. These are
 * all rows that only one of the snapshots has, and maybe some that neither has. The errors are those of {@link prepareDeletes}.
 */
export async function prepareChangedDeletes(
  connection: Connection,
  request: DeletesToPrepare<ChangedFile>,
): Promise<ScanDeletes> {
  const files = request.files.map(({ changed: { before, after }, ...file }) => ({
    ...file,
    deletes: { ...after, equality: [...before.equality, ...after.equality] },
    before,
  }));
  return await new Preparation(connection, request, files).run();
}

interface DeletedFile extends FileWithDeletes {
  readonly path: string;
  readonly sequenceNumber: bigint;
  /** Given: positions that are deleted here, too, do not count. */
  readonly before?: FileDeletes;
}

const hasPositions = (deletes: FileDeletes | undefined): boolean =>
  deletes !== undefined && (deletes.vector !== undefined || deletes.positions.length > 0);

class Preparation {
  readonly #connection: Connection;
  readonly #request: DeletesToPrepare<unknown>;
  readonly #files: readonly DeletedFile[];
  readonly #sets: EqualitySets;
  readonly #tables: string[] = [];
  /** Delete files at the paths that the file system opens. */
  readonly #opened = new Map<DeleteFile, OpenDeleteFile>();
  readonly #id = randomUUID();

  constructor(connection: Connection, request: DeletesToPrepare<unknown>, files: readonly DeletedFile[]) {
    this.#connection = connection;
    this.#request = request;
    this.#files = files;
    this.#sets = new EqualitySets(files);
  }

  async run(): Promise<ScanDeletes> {
    try {
      return await this.#read();
    } catch (error) {
      await this.release().catch(() => undefined);
      throw error;
    }
  }

  async #read(): Promise<ScanDeletes> {
    const schema = everyColumn(this.#request.schemas);
    const numbers = this.#numberFiles();
    const positions = numbers.size === 0 ? undefined : await this.#readPositions(numbers);
    const equality = await this.#readEquality(schema);
    const deleted = await this.#withDeletedRows(numbers, positions);
    const files = deleted.map((file): [string, AppliedDeletes] => {
      const scope = this.#sets.scopeOf(file.file);
      const applied = this.#sets.idsFor(file).map((id) => ({ deletes: equality.get(id) as EqualityDeletes, scope }));
      return [file.path, { fileNumber: numbers.get(file), equality: applied, sequenceNumber: file.sequenceNumber }];
    });
    return { positions, files: new Map(files), schema, release: () => this.release() };
  }

  async release(): Promise<void> {
    for (const table of this.#tables.splice(0)) {
      await this.#connection.run(`DROP TABLE IF EXISTS ${quoteIdentifier(table)}`);
    }
  }

  #newTable(): string {
    const table = `moraine_deletes_${this.#id}_${this.#tables.length}`;
    this.#tables.push(table);
    return table;
  }

  async #open(entry: DeleteFile): Promise<OpenDeleteFile> {
    const known = this.#opened.get(entry);
    if (known !== undefined) return known;
    const opened = { path: await this.#request.resolve(entry.file.filePath), entry };
    this.#opened.set(entry, opened);
    return opened;
  }

  /** Numbers the files that have positions; those that are read together follow each other. */
  #numberFiles(): ReadonlyMap<DeletedFile, bigint> {
    const groups = new Map<string, DeletedFile[]>();
    for (const file of this.#files) {
      if (!hasPositions(file.deletes) && !hasPositions(file.before)) continue;
      const layout = this.#request.layouts?.get(file.path)?.fingerprint ?? '';
      const group = [layout, ...this.#sets.idsFor(file)].join('\n');
      groups.set(group, [...(groups.get(group) ?? []), file]);
    }
    return new Map([...groups.values()].flat().map((file, index) => [file, BigInt(index)]));
  }

  async #readPositions(numbers: ReadonlyMap<DeletedFile, bigint>): Promise<string> {
    const table = await this.#readPositionsOf(numbers, ({ deletes }) => deletes);
    if ([...numbers.keys()].every(({ before }) => before === undefined)) return table;
    const before = await this.#readPositionsOf(numbers, (file) => file.before ?? NO_DELETES);
    const changed = this.#newTable();
    await createPositionsOfOne(this.#connection, changed, [table, before]);
    return changed;
  }

  async #readPositionsOf(
    numbers: ReadonlyMap<DeletedFile, bigint>,
    deletesOf: (file: DeletedFile) => FileDeletes,
  ): Promise<string> {
    const { normalize } = this.#request;
    const table = this.#newTable();
    await createPositions(this.#connection, table);
    const dataFiles: PositionDeletedFile[] = [];
    const vectors = [];
    for (const [planned, fileNumber] of numbers) {
      const { vector, positions } = deletesOf(planned);
      if (vector !== undefined) {
        const { path } = await this.#open(vector);
        vectors.push({ path, file: vector.file, normalize, fileNumber });
      }
      if (positions.length === 0) continue;
      dataFiles.push({ location: normalize(planned.file.filePath), fileNumber, deletes: positions });
    }
    const open = (entry: DeleteFile): Promise<OpenDeleteFile> => this.#open(entry);
    await addPositionDeletes(this.#connection, table, dataFiles, { open, normalize });
    await addVectors(this.#connection, table, vectors);
    return table;
  }

  /** Files whose deletes changed and that may have deleted rows: most delete files name rows of few files. */
  async #withDeletedRows(
    numbers: ReadonlyMap<DeletedFile, bigint>,
    positions: string | undefined,
  ): Promise<readonly DeletedFile[]> {
    if (positions === undefined || this.#files.every(({ before }) => before === undefined)) return this.#files;
    const found = await fileNumbersIn(this.#connection, positions);
    return this.#files.filter((file) => file.deletes.equality.length > 0 || found.has(numbers.get(file) ?? -1n));
  }

  async #readEquality(schema: Schema): Promise<ReadonlyMap<string, EqualityDeletes>> {
    const tables = new Map<string, EqualityDeletes>();
    for (const { id, entries, isScoped } of this.#sets.sets) {
      const files = await Promise.all(entries.map((entry) => this.#open(entry)));
      const [first] = files;
      if (first === undefined) continue;
      const read = {
        table: this.#newTable(),
        schema,
        keys: deleteKeys(schema, first),
        files,
        scopeOf: isScoped ? ({ entry }: OpenDeleteFile) => this.#sets.scopeOf(entry.file) : undefined,
        nameMapping: this.#request.nameMapping,
      };
      tables.set(id, await createEqualityDeletes(this.#connection, read));
    }
    return tables;
  }
}
