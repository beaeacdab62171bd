/** Paths of tables. */
import type { OfflineProcesses } from './offline-processes.js';
import type { Route } from './route.js';
import { sendOffline } from './send-offline.js';
import { FILES_ANSWER, FILES_QUERY } from './table-schemas.js';

export interface TableDeps {
  readonly offline: OfflineProcesses;
}

interface FilesParams {
  readonly namespace: string;
  readonly table: string;
}

interface FilesQuery {
  readonly snapshot?: string;
  readonly catalog?: string;
}

export function tableRoutes({ offline }: TableDeps): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/tables/{namespace}/{table}/files',
      summary: 'The data files of a snapshot, and the delete files that apply to them.',
      scope: 'read',
      query: FILES_QUERY,
      answers: { 200: FILES_ANSWER },
      errors: [404, 429, 501, 503],
      handle: async ({ params, query }, reply) => {
        const { namespace, table: name } = params as FilesParams;
        const { snapshot, catalog } = query as FilesQuery;
        const request = {
          namespace: namespace.split('.'),
          name,
          ...(catalog === undefined ? {} : { catalog }),
          ...(snapshot === undefined ? {} : { snapshotId: BigInt(snapshot) }),
        };
        return await sendOffline(reply, offline, { kind: 'files', request });
      },
    },
  ];
}
