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

/** Starts the service on a free port of this machine, reads features of airports as of now, and ends it. */
export async function readOverHttp(
  project: Project,
  view: string,
  airports: readonly string[],
): Promise<{ readonly url: string; readonly rows: readonly ServedRow[] }> {
  const log = { write: () => undefined };
  const service = await startService({ project, host: '127.0.0.1', port: 0, version: 'demo', log });
  try {
    const response = await fetch(`${service.url}/get-online-features`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        entities: { origin: airports },
        features: FEATURES.map((feature) => `${view}:${feature}`),
      }),
    });
    if (!response.ok) throw new Error(`The service answered ${response.status}: ${await response.text()}`);
    return { url: service.url, rows: rowsOf((await response.json()) as Served, airports) };
  } finally {
    await service.close();
  }
}

function rowsOf({ metadata, results }: Served, airports: readonly string[]): readonly ServedRow[] {
  const columns = FEATURES.map((feature) => results[metadata.feature_names.indexOf(feature)]);
  return airports.map((airport, index) => {
    const time = columns[0]?.event_timestamps[index] ?? '';
    const values = columns.map((column) => String(column?.values[index]));
    return [airport, time.replace('T', ' ').replace(/Z$/, ''), ...values];
  });
}
