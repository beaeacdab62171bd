/** Apache Spark with Iceberg, as a foreign engine: from PyPI and Maven Central, made once and kept in the user's cache folder. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { userCacheFolder } from '../../workers/user-cache.js';
import { pythonEnvironment } from './python-environment.js';

const run = promisify(execFile);

const JAR = 'iceberg-spark-runtime-4.0_2.13-1.10.1.jar';
const JAR_URL = `https://repo1.maven.org/maven2/org/apache/iceberg/iceberg-spark-runtime-4.0_2.13/1.10.1/${JAR}`;
const JAR_SHA256 = '2192a0881ed0f5773b5a83a8820d2b0b2069beec203028643a1c338551007f09';
/** Where Debian has the Java versions; Spark 4.0 runs on 17 and 21. */
const JVM_FOLDER = '/usr/lib/jvm';

/** What a program of Spark is started with. */
export interface SparkEnvironment {
  /** The Python that has pyspark. */
  readonly interpreter: string;
  /** Iceberg's runtime for Spark. */
  readonly jar: string;
  /** To add to the process's environment. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Spark 4.0 with Iceberg 1.10; the first call on a machine downloads both (minutes).
 * @param repository the folder that holds `test/interop`
 */
export async function sparkEnvironment(repository: string): Promise<SparkEnvironment> {
  const interpreter = pythonEnvironment(join(repository, 'test/interop/requirements-spark.txt'));
  const javaHome = findJava();
  const env = { SPARK_LOCAL_IP: '127.0.0.1', ...(javaHome === undefined ? {} : { JAVA_HOME: javaHome }) };
  return { interpreter, jar: await icebergRuntime(), env };
}

/** A Java that Spark runs on, unless `JAVA_HOME` names one or there is only the one of PATH. */
function findJava(): string | undefined {
  if (process.env['JAVA_HOME'] !== undefined || !existsSync(JVM_FOLDER)) return undefined;
  const homes = readdirSync(JVM_FOLDER).filter((name) => /-(17|21)-/.test(name));
  const home = homes.sort().find((name) => existsSync(join(JVM_FOLDER, name, 'bin/java')));
  return home === undefined ? undefined : join(JVM_FOLDER, home);
}

/** Throws if what was downloaded is not the file of the known digest. */
async function icebergRuntime(): Promise<string> {
  const path = join(userCacheFolder(), JAR);
  if (existsSync(path)) return path;
  const response = await fetch(JAR_URL);
  if (!response.ok) throw new Error(`${JAR_URL} answered ${response.status}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  const digest = createHash('sha256').update(bytes).digest('hex');
  if (digest !== JAR_SHA256) throw new Error(`${JAR_URL} has the SHA-256 ${digest}, not ${JAR_SHA256}`);
  mkdirSync(dirname(path), { recursive: true });
  const staging = `${path}.${process.pid}`;
  writeFileSync(staging, bytes);
  renameSync(staging, path);
  return path;
}

/** Runs a Python program with Spark to its end; the jar's path is its first argument. Returns what it printed. */
export async function runSparkProgram(
  repository: string,
  program: string,
  args: readonly string[],
  cwd: string,
): Promise<string> {
  const { interpreter, jar, env } = await sparkEnvironment(repository);
  const { stdout } = await run(interpreter, ['-W', 'ignore', program, jar, ...args], {
    cwd,
    maxBuffer: 1 << 26,
    env: { ...process.env, ...env, PYTHONDONTWRITEBYTECODE: '1' },
  });
  return stdout;
}
