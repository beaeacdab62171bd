/** Which types tables of version 2 have. */
import { describe, expect, it } from 'vitest';
import { parseSchema, requireVersionTwoTypes, type Schema } from '../../../iceberg/index.js';
import { failureOf } from '../../support/error-code.js';

const schemaOf = (type: unknown): Schema =>
  parseSchema({
    type: 'struct',
    'schema-id': 0,
    fields: [{ id: 1, name: 'x', required: false, type: type as string }],
  });
const list = (element: string) => ({ type: 'list', 'element-id': 2, 'element-required': false, element });

// Specification, "Primitive Types": v3 adds unknown, the nanosecond timestamps, variant, geometry and geography.
describe('types of a new table', () => {
  it.each(['boolean', 'int', 'timestamp', 'timestamptz', 'uuid', 'fixed[4]', 'decimal(38, 2)', list('timestamp')])(
    'version 2 has %j',
    (type) => expect(() => requireVersionTwoTypes(schemaOf(type))).not.toThrow(),
  );

  it.each<[unknown, string, string]>([
    ['timestamp_ns', 'x', 'timestamp_ns'],
    ['timestamptz_ns', 'x', 'timestamptz_ns'],
    ['unknown', 'x', 'unknown'],
    ['variant', 'x', 'variant'],
    [list('timestamp_ns'), 'x.element', 'timestamp_ns'],
  ])('it does not have %j', async (type, path, named) => {
    const failure = await failureOf(Promise.resolve().then(() => requireVersionTwoTypes(schemaOf(type))));
    expect([failure.code, failure.details]).toEqual(['SCHEMA_INVALID', { column: path }]);
    expect(failure.message).toContain(`Column "${path}" of type ${named} needs a table of format version 3`);
  });
});
