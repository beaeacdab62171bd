/** What is known of a run before it reads a row. */
import type { FileReads } from './file-reads.js';

/** Facts about the materialization of a view. */
export interface MaterializationFacts extends FileReads {
  /** Whether the tables lie in an object store. */
  readonly isRemote: boolean;
  /** Features of the view. */
  readonly features: number;
  /** Bytes of one row in the columns that are read. */
  readonly rowBytes: number;
  /** The most entities that the files can have. */
  readonly entities: number;
  /** Buckets of the online table. */
  readonly buckets: number;
  /** Whether few rows become one file, whatever their buckets. */
  readonly mayBeOneFile: boolean;
  /** Activities that write. Without parts each of them reads all files. */
  readonly shards: number;
  /** Activities that read each file once, and stage what the shards merge; 0 unless given: there are none. */
  readonly parts?: number;
  /** Bytes of a file's end that are fetched first. */
  readonly endBytes: number;
  /** Bytes of memory that the engine may take. */
  readonly memoryLimitBytes: number;
}

/** One view of a retrieval. */
export interface JoinedViewFacts extends FileReads {
  /** Features that the join reads, and those that it returns. */
  readonly readFeatures: number;
  readonly features: number;
  /** Bytes of one row in the features that are returned. */
  readonly rowBytes: number;
  readonly entities: number;
  readonly method: 'arg-max' | 'max-join-back' | 'asof-join-back';
  /** Activities that read each file once, and stage its rows for the shards; 0 unless given: each shard reads all files. */
  readonly parts?: number;
  /** Bytes of one row in all columns that are read, which is what parts stage. */
  readonly readRowBytes: number;
}

/** Facts about a retrieval that is saved in shards. */
export interface RetrievalFacts {
  readonly isRemote: boolean;
  readonly entityRows: number;
  /** One pass over the entity rows. */
  readonly entityReads: FileReads;
  /** As the parts of a view, for the entity rows. */
  readonly entityParts?: number;
  readonly entityColumns: number;
  readonly entityRowBytes: number;
  readonly views: readonly JoinedViewFacts[];
  readonly shards: number;
  readonly endBytes: number;
  readonly memoryLimitBytes: number;
}
