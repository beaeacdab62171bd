import { open } from 'node:fs/promises';

/** Makes a file or a folder durable, as floors do with what they have written: Moraine does so before it commits. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync();
  await handle.close();
}
