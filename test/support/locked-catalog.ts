import { join } from 'node:path';
import Database from 'libsql';
import { onTestFinished } from 'vitest';

/** Nobody else reads or writes `catalog.db` of a folder until it is unlocked, or the test ends. @returns what unlocks it */
export function lockCatalog(folder: string): () => void {
  const database = new Database(join(folder, 'catalog.db'), { timeout: 10_000 });
  database.exec('BEGIN EXCLUSIVE');
  let isOpen = true;
  const unlock = (): void => {
    if (isOpen) database.close();
    isOpen = false;
  };
  onTestFinished(unlock);
  return unlock;
}
