/** What a process that does heavy work answers: a head, then bytes. */

/** Facts about an answer, told before its first byte. */
export interface OfflineHead {
  readonly rows: number;
  /** By table, or by view: the snapshot that was read; tables without any are left out. */
  readonly snapshots: ReadonlyMap<string, bigint>;
}

/** Where the bytes of an answer go. */
export interface OfflineOutput {
  begin(head: OfflineHead): void;
  write(bytes: Uint8Array): Promise<void>;
}
