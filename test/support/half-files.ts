/** Killing a process while a data file of a table is half written: once the file is there and has grown so far. */
import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Every Parquet file begins and ends with it. Source: Apache Parquet, "File Format". */
const MAGIC = 'PAR1';
const LOOK_MS = 1;

/** Files below a folder, whatever they are called; none if there is no folder yet. */
function filesBelow(folder: string): readonly string[] {
  try {
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return []; // a folder of it has gone meanwhile
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Whether a file is the beginning of a Parquet file, and no whole one. */
function isHalf(path: string): boolean {
  try {
    const bytes = readFileSync(path);
    const isBegun = bytes.subarray(0, MAGIC.length).toString() === MAGIC;
    return isBegun && bytes.length > 2 * MAGIC.length && bytes.subarray(-MAGIC.length).toString() !== MAGIC;
  } catch {
    return false; // it was whole, and has got its name
  }
}

export interface HalfFile {
  /** Where the data files of the table are. */
  readonly folder: string;
  /** Which of the files that the process writes it is, from 0. */
  readonly index: number;
  /** Bytes that it has at least. */
  readonly bytes: number;
}

/**
 * Kills a process with SIGKILL as soon as a file has so many bytes, and waits for its end.
 * @returns whether half a file is left; false: it was too late
 */
export async function killAtHalfFile(child: ChildProcess, { folder, index, bytes }: HalfFile): Promise<boolean> {
  const ended = once(child, 'close');
  const before = new Set(filesBelow(folder));
  /** Files that it has written, under whatever name they were seen first. */
  const seen = new Set<number>();
  while (child.exitCode === null && child.signalCode === null) {
    for (const path of filesBelow(folder)) {
      if (before.has(path)) continue;
      const inode = statSync(path, { throwIfNoEntry: false })?.ino;
      if (inode === undefined) continue;
      seen.add(inode);
      if ([...seen].indexOf(inode) !== index || sizeOf(path) < bytes) continue;
      child.kill('SIGKILL');
      await ended;
      return isHalf(path);
    }
    await sleep(LOOK_MS);
  }
  await ended;
  return false;
}
