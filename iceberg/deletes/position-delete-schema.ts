/** The columns of position-delete files. Source: Apache Iceberg specification, "Position Delete Files". */
import type { Schema } from '../schema/types.js';
import { DELETE_FILE_PATH_ID, DELETE_POSITION_ID } from './delete-index.js';

export const POSITION_DELETE_SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    { id: DELETE_FILE_PATH_ID, name: 'file_path', required: true, type: { kind: 'string' } },
    { id: DELETE_POSITION_ID, name: 'pos', required: true, type: { kind: 'long' } },
  ],
};
