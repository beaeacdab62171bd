/** The HTTP service of a lab's project, in this process. */
import { join } from 'node:path';
import { createMoraine, type Moraine } from '../../client/index.js';
import type { ConfigInput } from '../../config/index.js';
import { type Service, startService } from '../../service/index.js';
import type { FeatureLab } from './feature-lab.js';

export interface JsonAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A service, and the client that its project belongs to. */
export interface LabService {
  readonly moraine: Moraine;
  readonly service: Service;
  readonly get: (path: string) => Promise<JsonAnswer>;
  readonly post: (path: string, body: unknown) => Promise<JsonAnswer>;
  readonly close: () => Promise<void>;
}

export async function startLabService(
  { folder }: FeatureLab,
  server: NonNullable<ConfigInput['server']> = {},
): Promise<LabService> {
  const config: ConfigInput = {
    catalogs: { main: { uri: join(folder, 'catalog.db'), warehouse: join(folder, 'warehouse') } },
    engine: { threads: 2 },
    online: { readTimeoutMs: 60_000 },
    server: { queueTimeoutMs: 60_000, port: 0, maxStalenessMs: 1, ...server },
  };
  const moraine = await createMoraine({ config, cwd: folder, fileFolders: [folder] });
  const service = await startService({ project: moraine.project, version: '', log: { write: () => undefined } });
  const answer = async (path: string, init: RequestInit): Promise<JsonAnswer> => {
    const response = await fetch(`${service.url}${path}`, init);
    return { status: response.status, body: (await response.json()) as JsonAnswer['body'] };
  };
  const headers = { 'content-type': 'application/json' };
  return {
    moraine,
    service,
    get: (path) => answer(path, {}),
    post: (path, body) => answer(path, { method: 'POST', headers, body: JSON.stringify(body) }),
    close: async () => {
      await service.close();
      await moraine.close();
    },
  };
}
