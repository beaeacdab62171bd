/** Servers in Java of `test/interop/programs`, run from their sources; they end with their standard input. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
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

/** The `java` of an installed JDK of at least a version. */
export function newerJava(version: number): string {
  const homes = [
    process.env['JAVA_HOME'] ?? '',
    ...readdirSync('/usr/lib/jvm').map((name) => join('/usr/lib/jvm', name)),
  ];
  const java = homes
    .map((home) => join(home, 'bin/java'))
    .find((path) => existsSync(path) && versionOf(path) >= version);
  if (java !== undefined) return java;
  throw new Error(`Java ${version} or newer is needed: install a JDK below /usr/lib/jvm, or set JAVA_HOME`);
}

function versionOf(java: string): number {
  const { stderr } = spawnSync(java, ['-version'], { encoding: 'utf8' });
  return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
}
