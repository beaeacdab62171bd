/** Stores of a crash lab: put back as they were for every crash point, and opened anew by every process. */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CopyObjectCommand, DeleteObjectsCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import type { Location } from '../../locations/index.js';
import { DiskCache, type FileIO, LocalFileIO, mapConcurrently } from '../../storage/index.js';
import { S3FileIO } from '../../storage/s3/s3-file-io.js';
import type { S3Server } from './s3-server.js';

export interface CrashStore {
  readonly warehouse: Location;
  /** The store as a new process sees it, which knows nothing of what others have read. */
  open(): FileIO;
  /** Remembers everything as it is now. */
  save(): Promise<void>;
  restore(): Promise<void>;
}

/** Files of this machine. */
export function filesOf(folder: string): CrashStore {
  const warehouse = join(folder, 'warehouse');
  return {
    warehouse,
    open: () => new LocalFileIO({ roots: [folder] }),
    save: () => cp(warehouse, `${warehouse}.saved`, { recursive: true }),
    restore: async () => {
      await rm(warehouse, { recursive: true, force: true });
      await cp(`${warehouse}.saved`, warehouse, { recursive: true });
    },
  };
}

/** Objects of a bucket that nothing else uses. @param folder for what is fetched */
export function objectsOf({ client, options }: S3Server, bucket: string, folder: string): CrashStore {
  const keysBelow = async (prefix: string): Promise<string[]> => {
    const keys: string[] = [];
    for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix }))
      for (const { Key } of Contents) if (Key !== undefined) keys.push(Key);
    return keys;
  };
  const copy = async (from: string, to: string): Promise<void> => {
    await mapConcurrently(await keysBelow(from), async (key) => {
      const source = { CopySource: `${bucket}/${encodeURIComponent(key)}`, Key: to + key.slice(from.length) };
      await client.send(new CopyObjectCommand({ Bucket: bucket, ...source }));
    });
  };
  let processes = 0;
  return {
    warehouse: `s3://${bucket}/warehouse`,
    open: () => {
      const diskCache = new DiskCache({ folder: join(folder, `cache-${processes++}`), maxBytes: 2 ** 30 });
      return new S3FileIO({ roots: [`s3://${bucket}`], options, diskCache });
    },
    save: () => copy('warehouse/', 'saved/'),
    restore: async () => {
      const keys = await keysBelow('warehouse/');
      const objects = keys.map((Key) => ({ Key }));
      if (keys.length > 0)
        await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: objects } }));
      await copy('saved/', 'warehouse/');
    },
  };
}
