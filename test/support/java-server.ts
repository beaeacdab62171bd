/** Servers in Java of `test/interop/programs`, run from their sources; they end with their standard input. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter, join } from 'node:path';
import { cachedJar, jarsOf } from './maven.js';
import { projectRoot } from './paths.js';

export interface JavaServer {
  readonly process: ChildProcess;
  readonly close: () => Promise<void>;
}

/**
 * @param jars the list of what it needs, in `test/interop`; downloaded by the first call on a machine
 * @param program in `test/interop/programs`
 */
export async function startJavaServer(jars: string, program: string, args: readonly string[]): Promise<JavaServer> {
  const paths: string[] = [];
  for (const jar of jarsOf(join(projectRoot, 'test/interop', jars))) paths.push(await cachedJar(jar));
  const source = join(projectRoot, 'test/interop/programs', program);
  // What goes wrong in Java is seen by what the server answers; its logs are pages long.
  const started = spawn('java', ['-cp', paths.join(delimiter), source, ...args], { stdio: ['pipe', 'pipe', 'ignore'] });
  return {
    process: started,
    close: async () => {
      const ended = once(started, 'exit');
      started.stdin.end();
      await ended;
    },
  };
}
