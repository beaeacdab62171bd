import avro from 'avsc';

/** avsc's own longs lose digits beyond 52 bits. */
const BIG_LONG = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: String,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});

/** avsc's type hook for longs, with and without a logical type, that are `bigint`. */
export function bigLongs(schema: unknown): avro.Type | undefined {
  const isLong = schema === 'long' || (schema as { readonly type?: unknown }).type === 'long';
  return isLong ? BIG_LONG : undefined;
}
