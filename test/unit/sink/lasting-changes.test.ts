/** Which changes of a schema records ask for that are rows after them. */
import { expect, it } from 'vitest';
import { parseSchema, type Schema, type SchemaChange } from '../../../iceberg/index.js';
import { type AskedChanges, lastingChanges } from '../../../sink/files/lasting-changes.js';

const schemaOf = (columns: Readonly<Record<string, 'long' | 'string'>>): Schema => {
  const fields = Object.entries(columns).map(([name, type], index) => ({ id: index + 1, name, required: false, type }));
  return parseSchema({ type: 'struct', 'schema-id': 0, fields });
};

/** Records of whole numbers and texts: the first with a field that no column takes says its type. */
const asking =
  (records: readonly Readonly<Record<string, number | string>>[]) => (schema: Schema, without: ReadonlySet<number>) => {
    const types = new Map(schema.fields.map(({ name, type }) => [name, type.kind]));
    const changes = new Map<string, SchemaChange>();
    const misfits = records.flatMap((record, line): AskedChanges['misfits'] => {
      if (without.has(line)) return [];
      const extra = Object.keys(record).find((name) => !types.has(name));
      if (extra !== undefined) {
        const type = { kind: typeof record[extra] === 'number' ? 'long' : 'string' } as const;
        if (!changes.has(extra)) changes.set(extra, { change: 'add', name: extra, type });
        return [{ line, problem: 'EXTRA_FIELD', column: null }];
      }
      const wrong = Object.entries(record).find(
        ([name, value]) => (types.get(name) === 'long') !== (typeof value === 'number'),
      );
      return wrong === undefined ? [] : [{ line, problem: 'VALUE_MISFIT', column: wrong[0] }];
    });
    return Promise.resolve({ changes: [...changes.values()], misfits });
  };

const evolved = (schema: Schema, changes: readonly SchemaChange[]): Schema => {
  const own = schema.fields.map(({ name, type }) => [name, type.kind]);
  const added = changes.flatMap((each) =>
    each.change === 'add' ? [[each.name, (each.type as { kind: string }).kind]] : [],
  );
  return schemaOf(Object.fromEntries([...own, ...added]) as Record<string, 'long' | 'string'>);
};

const changesOf = (records: Parameters<typeof asking>[0]) =>
  lastingChanges(schemaOf({ id: 'long' }), asking(records), evolved);

it('a record that does not fit the columns that there were does not take those with it that fit without it', async () => {
  const added = { change: 'add', name: 'z', type: { kind: 'long' } };
  expect(
    await changesOf([
      { id: 'x', z: 'text' },
      { id: 1, z: 5 },
    ]),
  ).toEqual([added]);
  expect(await changesOf([{ id: 'x', z: 'text' }])).toEqual([]);
});

it('more records that ask in vain, one behind the other, than are looked for leave the changes of the others', async () => {
  const chain = Array.from({ length: 12 }, (_, n) => ({ id: 1, [`c${n}`]: 1, [`c${n + 1}`]: 'x' }));
  const changes = await changesOf([...chain, { id: 2, good: 3 }]);
  expect(changes).toContainEqual({ change: 'add', name: 'good', type: { kind: 'long' } });
});
