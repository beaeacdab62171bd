/** Disks that can be full or read-only: a small file system of its own where this user may mount one; for a full one else a limit on the size of files. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export interface SmallDisk {
  /** Options of `prlimit` for the processes that write to it. */
  limits(): readonly string[];
  /** Leaves room for this many bytes. */
  fill(roomBytes: number): void;
  /** All the room is back. */
  free(): void;
}

/** Makes `folder` such a disk until the test has finished. */
export function smallDisk(folder: string, sizeBytes = 64 * 2 ** 20): SmallDisk {
  mkdirSync(folder, { recursive: true });
  return mount(folder, sizeBytes) ? new MountedDisk(folder) : new LimitedFiles();
}

/** A file system of its own that can be mounted read-only, and writable again. */
export interface ReadOnlyDisk {
  seal(): void;
  unseal(): void;
}

/** Makes `folder` such a disk until the test has finished; undefined where this user may not mount one. */
export function readOnlyDisk(folder: string): ReadOnlyDisk | undefined {
  mkdirSync(folder, { recursive: true });
  if (!mount(folder, 64 * 2 ** 20)) return undefined;
  const remount = (mode: 'ro' | 'rw') => execFileSync('mount', ['-o', `remount,${mode}`, folder]);
  return { seal: () => void remount('ro'), unseal: () => void remount('rw') };
}

function mount(folder: string, sizeBytes: number): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return false; // not permitted here
  }
  onTestFinished(() => void execFileSync('umount', ['--lazy', folder]));
  return true;
}

class MountedDisk implements SmallDisk {
  readonly #folder: string;
  readonly #ballast: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.#ballast = join(folder, 'ballast');
  }

  limits(): readonly string[] {
    return [];
  }

  fill(roomBytes: number): void {
    this.free();
    const { bavail, bsize } = statfsSync(this.#folder);
    writeFileSync(this.#ballast, Buffer.alloc(Math.max(0, bavail * bsize - roomBytes)));
  }

  free(): void {
    rmSync(this.#ballast, { force: true });
  }
}

/** No file may grow beyond the room: the kernel refuses the write as it does on a full disk. */
class LimitedFiles implements SmallDisk {
  #limits: readonly string[] = [];

  limits(): readonly string[] {
    return this.#limits;
  }

  fill(roomBytes: number): void {
    this.#limits = [`--fsize=${roomBytes}:${roomBytes}`];
  }

  free(): void {
    this.#limits = [];
  }
}
