import { homedir } from 'node:os';
import { join } from 'node:path';

/** The folder for files that can be fetched again: `$XDG_CACHE_HOME/moraine`, else `~/.cache/moraine`. */
export function userCacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const configured = environment['XDG_CACHE_HOME'];
  return join(configured !== undefined && configured !== '' ? configured : join(homedir(), '.cache'), 'moraine');
}
