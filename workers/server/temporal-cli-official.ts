import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolders } from '../../processes/index.js';
import { isExecutable } from './executable.js';

const folderIn = (cache: string): string => join(cache, 'temporal-cli');

/** The binary that an earlier official download left in the cache. */
export async function officialCliInCache(cache: string): Promise<string | undefined> {
  const names = await readdir(folderIn(cache)).catch(() => []);
  for (const name of names.sort().reverse()) {
    const path = join(folderIn(cache), name);
    if (name.startsWith('temporal-') && !name.endsWith('.downloading') && (await isExecutable(path))) return path;
  }
  return undefined;
}

/**
 * Lets Temporal's SDK download the official binary into the cache. The SDK only downloads to start a server, so a
 * server in memory is started and stopped at once. Fails within a second where there is no internet.
 */
export async function downloadOfficialCli(cache: string, announce: (message: string) => void): Promise<string> {
  const downloadDir = folderIn(cache);
  await makeFolders(downloadDir);
  announce('looking for a Temporal server: trying the official download');
  const { TestWorkflowEnvironment } = await import('@temporalio/testing');
  let failure: unknown;
  try {
    const started = await TestWorkflowEnvironment.createLocal({
      server: {
        executable: { type: 'cached-download', downloadDir, ttl: '3650d' },
        log: { format: 'pretty', level: 'never' },
      },
    });
    await started.teardown();
  } catch (error) {
    // The download may have succeeded and only the SDK's short wait for the server have run out.
    failure = error;
  }
  const path = await officialCliInCache(cache);
  if (path === undefined) throw failure instanceof Error ? failure : new Error('nothing was downloaded');
  return path;
}
