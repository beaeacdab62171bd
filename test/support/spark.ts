/** Apache Spark with Iceberg, as a foreign engine: from PyPI and Maven Central, made once and kept in the user's cache folder. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cachedJar, type Jar } from './maven.js';
import { pythonEnvironment } from './python-environment.js';

const run = promisify(execFile);

export const ICEBERG_RUNTIME: Jar = {
  coordinates: 'org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:1.10.1',
  sha256: '2192a0881ed0f5773b5a83a8820d2b0b2069beec203028643a1c338551007f09',
};
/** The driver by which JdbcCatalog opens SQLite files. */
export const SQLITE_JDBC: Jar = {
  coordinates: 'org.xerial:sqlite-jdbc:3.50.3.0',
  sha256: 'a3f53a2aa15ae9425a9e793bbe9c8e5288febeb4b65ef5c1a4e80d4c2045cf08',
};
/** Where Debian has the Java versions; Spark 4.0 runs on 17 and 21. */
const JVM_FOLDER = '/usr/lib/jvm';

/** The arguments of a program of Spark. */
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
  return { interpreter, jar: await cachedJar(ICEBERG_RUNTIME), env };
}

/** A Java that Spark runs on, unless `JAVA_HOME` names one or there is only the one of PATH. */
function findJava(): string | undefined {
  if (process.env['JAVA_HOME'] !== undefined || !existsSync(JVM_FOLDER)) return undefined;
  const homes = readdirSync(JVM_FOLDER).filter((name) => /-(17|21)-/.test(name));
  const home = homes.sort().find((name) => existsSync(join(JVM_FOLDER, name, 'bin/java')));
  return home === undefined ? undefined : join(JVM_FOLDER, home);
}

/** The path of sqlite-jdbc. */
export function sqliteJdbc(): Promise<string> {
  return cachedJar(SQLITE_JDBC);
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
