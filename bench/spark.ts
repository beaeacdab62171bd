/** Apache Spark beside us: the same files, compacted by `rewrite_data_files` in a warm JVM. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableMetadataToJson } from '../iceberg/index.js';
import type { Table } from '../tables/index.js';
import { projectRoot } from '../test/support/paths.js';
import { runSparkProgram } from '../test/support/spark.js';
import type { BenchContext } from './job.js';
import type { ForeignMeasurement } from './python.js';

/**
 * Makes a table readable as one of Spark's Hadoop catalog, whose warehouse is the folder above its namespace: its metadata under the name
 * that such catalogs look for.
 */
export async function showToHadoopCatalog(table: Table): Promise<void> {
  const folder = await table.io.canonical(`${table.metadata.location}/metadata`);
  writeFileSync(join(folder, 'v1.metadata.json'), tableMetadataToJson(table.metadata));
  writeFileSync(join(folder, 'version-hint.text'), '1');
}

/**
 * Compacts tables with Spark, one after the other in one JVM, and returns what the last one took.
 * @param tables `NAMESPACE.TABLE` of the warehouse; those before the last warm the JVM up
 */
export async function compactBySpark(
  context: BenchContext,
  warehouse: string,
  tables: readonly string[],
): Promise<ForeignMeasurement> {
  const program = join(projectRoot, 'bench/programs/spark_rewrite.py');
  const stdout = await runSparkProgram(projectRoot, program, [warehouse, ...tables], context.scratchFolder);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as ForeignMeasurement;
}
