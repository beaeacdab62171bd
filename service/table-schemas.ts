/** JSON schemas of the paths of tables. */

const COMMON = {
  content: { type: 'string', enum: ['data', 'position-deletes', 'equality-deletes', 'deletion-vector'] },
  path: { type: 'string', description: 'The location, as the table has it.' },
  format: { type: 'string', enum: ['PARQUET', 'ORC', 'AVRO', 'PUFFIN'] },
  rows: { type: 'integer' },
  bytes: { type: 'integer', description: 'The size of the file.' },
  specId: { type: 'integer', description: 'The partition spec.' },
  partition: { type: 'string', description: 'NAME=VALUE, with slashes between them; empty without partitions.' },
  sequenceNumber: { type: 'integer' },
} as const;
const REQUIRED = ['content', 'path', 'format', 'rows', 'bytes', 'specId', 'partition', 'sequenceNumber'] as const;

export const FILES_QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    snapshot: {
      type: 'string',
      pattern: '^[0-9]{1,19}$',
      description: 'The id of a snapshot; the current one without.',
    },
    catalog: { type: 'string', description: 'A configured catalog; the default one without.' },
  },
} as const;

export const FILES_ANSWER = {
  type: 'object',
  required: ['table', 'snapshot', 'warning', 'files', 'deleteFiles'],
  properties: {
    table: { type: 'string' },
    snapshot: { type: ['string', 'null'], description: 'Null: the table has no rows yet.' },
    warning: { type: ['string', 'null'], description: 'Why reading the data files alone is wrong; null: it is not.' },
    files: {
      type: 'array',
      description: 'The data files.',
      items: {
        type: 'object',
        required: REQUIRED,
        properties: {
          ...COMMON,
          deletedBy: { type: 'array', items: { type: 'string' }, description: 'Paths of the deletes that apply.' },
        },
      },
    },
    deleteFiles: {
      type: 'array',
      items: {
        type: 'object',
        required: REQUIRED,
        properties: {
          ...COMMON,
          equalityIds: { type: 'array', items: { type: 'integer' } },
          referencedDataFile: { type: 'string' },
        },
      },
    },
  },
} as const;
