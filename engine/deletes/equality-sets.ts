/** Which equality deletes are read together, and for which data files. */
import { type DataFile, type DeleteFile, type FileDeletes, partitionKey } from '../../iceberg/index.js';

/** A data file as its deletes see it. */
export interface FileWithDeletes {
  readonly file: DataFile;
  readonly deletes: FileDeletes;
}

/** Equality deletes of one list of columns. */
export interface EqualitySet {
  readonly id: string;
  readonly entries: readonly DeleteFile[];
  /** Whether they apply to data files of their own partition only. */
  readonly isScoped: boolean;
}

/** The sets of equality deletes that some files have. */
export class EqualitySets {
  readonly sets: readonly EqualitySet[];
  readonly #idOf = new Map<DeleteFile, string>();
  readonly #scopes = new Map<string, bigint>();

  constructor(files: readonly FileWithDeletes[]) {
    const global = new Set<DeleteFile>();
    const all = new Set<DeleteFile>();
    for (const { file, deletes } of files) {
      for (const entry of deletes.equality) {
        all.add(entry);
        // Planning has applied the rules; one that reaches beyond its own partition reaches everywhere.
        if (partitionOf(entry.file) !== partitionOf(file)) global.add(entry);
      }
    }
    const sets = new Map<string, DeleteFile[]>();
    for (const entry of all) {
      const columns = [...new Set(entry.file.equalityIds)].sort((a, b) => a - b).join(',');
      const id = `${columns} ${global.has(entry) ? 'everywhere' : 'in its partition'}`;
      this.#idOf.set(entry, id);
      sets.set(id, [...(sets.get(id) ?? []), entry]);
    }
    this.sets = [...sets].map(([id, entries]) => ({
      id,
      entries,
      isScoped: !entries.some((entry) => global.has(entry)),
    }));
  }

  /** The ids of the sets that a data file is to be compared with, in a fixed order. */
  idsFor({ deletes }: FileWithDeletes): readonly string[] {
    return [...new Set(deletes.equality.map((entry) => this.#idOf.get(entry) ?? ''))].sort();
  }

  /** The number of a file's partition. */
  scopeOf(file: DataFile): bigint {
    const partition = partitionOf(file);
    const scope = this.#scopes.get(partition) ?? BigInt(this.#scopes.size);
    this.#scopes.set(partition, scope);
    return scope;
  }
}

const partitionOf = (file: DataFile): string => partitionKey(file.specId, file.partition);
