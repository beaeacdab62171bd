/** The demo's features over HTTP: the service on the project, asked as any client asks it. */
import type { Project } from '../project/index.js';
import { startService } from '../service/index.js';

/** A body of `POST /get-online-features`, column by column. */
interface Served {
  readonly metadata: { readonly feature_names: readonly string[] };
  readonly results: readonly { readonly values: readonly unknown[]; readonly event_timestamps: readonly string[] }[];
}

/** An airport's row, in the form of the expected rows. */
type ServedRow = readonly string[];

/** The features of a view, in the order of the expected rows. */
const FEATURES = ['flights', 'mean_delay', 'share_delayed', 'longest_delay'] as const;

/** The service while it runs. */
interface RunningService {
  readonly url: string;
  /** Reads features of airports as of now: the airport, the time of its row, and the features. */
  read(view: string, features: readonly string[], airports: readonly string[]): Promise<readonly ServedRow[]>;
}

/** Starts the service on a free port of this machine, and ends it after some work. */
export async function withService<T>(project: Project, work: (service: RunningService) => Promise<T>): Promise<T> {
  const log = { write: () => undefined };
  const { url, ...service } = await startService({ project, host: '127.0.0.1', port: 0, version: 'demo', log });
  try {
    return await work({ url, read: (view, features, airports) => read(url, view, features, airports) });
  } finally {
    await service.close();
  }
}

/** Reads features of airports with a service of its own. */
export async function readOverHttp(
  project: Project,
  view: string,
  airports: readonly string[],
): Promise<{ readonly url: string; readonly rows: readonly ServedRow[] }> {
  return await withService(project, async (service) => {
    return { url: service.url, rows: await service.read(view, FEATURES, airports) };
  });
}

async function read(
  url: string,
  view: string,
  features: readonly string[],
  airports: readonly string[],
): Promise<readonly ServedRow[]> {
  const response = await fetch(`${url}/get-online-features`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ entities: { origin: airports }, features: features.map((feature) => `${view}:${feature}`) }),
  });
  if (!response.ok) throw new Error(`The service answered ${response.status}: ${await response.text()}`);
  return rowsOf((await response.json()) as Served, features, airports);
}

function rowsOf(
  { metadata, results }: Served,
  features: readonly string[],
  airports: readonly string[],
): readonly ServedRow[] {
  const columns = features.map((feature) => results[metadata.feature_names.indexOf(feature)]);
  return airports.map((airport, index) => {
    const time = columns[0]?.event_timestamps[index] ?? '';
    const values = columns.map((column) => String(column?.values[index]));
    return [airport, time.replace('T', ' ').replace(/Z$/, ''), ...values];
  });
}
