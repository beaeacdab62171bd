/** Columns of types that the engine has no place for. */
import { expect, it } from 'vitest';
import { scanSql } from '../../../engine/index.js';
import { type IcebergType, type NestedField, parseType, type Schema } from '../../../iceberg/index.js';

const field = (id: number, name: string, type: IcebergType): NestedField => ({ id, name, type, required: false });

it.each(['variant', 'geometry(srid:4326)', 'geography(srid:4326, karney)'])(
  'a column of type %s is refused by its name and type; the others are read',
  (text) => {
    const type = parseType(text);
    const inside: IcebergType = { kind: 'struct', fields: [field(4, 'inner', type)] };
    const schema: Schema = {
      schemaId: 0,
      identifierFieldIds: [],
      fields: [field(1, 'id', { kind: 'long' }), field(2, 'place', type), field(3, 'outer', inside)],
    };
    for (const [id, name] of [
      [2, 'place'],
      [3, 'outer'],
    ] as const) {
      expect(() => scanSql({ schema, files: [], columns: [1, id] })).toThrow(
        expect.objectContaining({
          code: 'UNSUPPORTED_FEATURE',
          message: expect.stringContaining(`The column ${name} has the type ${text}`) as string,
        }) as Error,
      );
    }
    expect(scanSql({ schema, files: [], columns: [1] })).not.toContain('place');
  },
);
