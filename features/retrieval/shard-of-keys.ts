/** Rows of one entity in one shard, whichever table they are of. */
import { sqlLiteral } from '../../engine/index.js';

/**
 * SQL of the shard, from 0, of a row. The hash is MD5 of the keys as text, which does not depend on the version of the engine, because
 * shards of one run may be computed by different workers.
 * @param keys SQL of the values to split by, of types whose equal values are the same text
 */
export function shardOfKeysSql(keys: readonly string[], shards: number): string {
  const texts = keys.map((key) => `coalesce(${key}::VARCHAR, '')`).join(', chr(31), ');
  const hash = `('0x' || substr(md5(concat(${texts})), 1, 15))::BIGINT`;
  return `${hash} % ${sqlLiteral({ kind: 'long' }, BigInt(shards))}`;
}
