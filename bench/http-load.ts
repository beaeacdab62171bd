/** Load on a feature server: the same requests by a compiled generator, and a digest of what is answered. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { largest } from '../errors/index.js';
import { projectRoot } from '../test/support/paths.js';
import { debianProgram } from './debian-programs.js';
import { FEATURE_NAMES, ONLINE_VIEW, sleep } from './online-source.js';

const run = promisify(execFile);
const SECONDS = 8;

/** Entities of a read of all. */
const KEYS_AT_ONCE = 5_000;

/** What is measured, by name: entities of a request and connections. */
export const LOADS = {
  '1 entity, 1 connection': { entities: 1, connections: 1 },
  '100 entities, 1 connection': { entities: 100, connections: 1 },
  '1 entity, 32 connections': { entities: 1, connections: 32 },
  '100 entities, 32 connections': { entities: 100, connections: 32 },
} as const;
export type Load = keyof typeof LOADS;
export const LOAD_NAMES = Object.keys(LOADS) as Load[];

/** Milliseconds and requests per second, by load and what of it: `LOAD p50`, `LOAD p99`, `LOAD perSecond`. */
export async function measureLoads(url: string, entities: number): Promise<Record<string, number>> {
  const figures: Record<string, number> = {};
  for (const name of LOAD_NAMES) {
    const measured = await measureLoad(url, LOADS[name], Math.floor(entities / 0.95));
    for (const [what, value] of Object.entries(measured)) figures[`${name} ${what}`] = value;
  }
  return figures;
}

/** The same of one load of random keys from 0 to `keys`. */
export async function measureLoad(
  url: string,
  { entities, connections }: { readonly entities: number; readonly connections: number },
  keys: number,
): Promise<Record<'perSecond' | 'p50' | 'p99', number>> {
  const { path, env } = debianProgram('wrk');
  const script = ['-s', join(projectRoot, 'bench/programs/online_requests.lua')];
  const own = [String(entities), String(keys), FEATURE_NAMES.join(',')];
  const measure = async (seconds: number) => {
    const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '30s', ...script, url, '--', ...own];
    const { stdout } = await run(path, args, { env: { ...process.env, ...env } });
    const measured = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<
      'perSecond' | 'p50' | 'p99' | 'failed',
      number
    >;
    if (measured.failed !== 0) throw new Error(`${measured.failed} requests failed:\n${stdout}`);
    const { perSecond, p50, p99 } = measured;
    return { perSecond, p50, p99 };
  };
  await measure(2);
  return await measure(SECONDS);
}

/** The answer to a request for entities by key. */
export async function ask(url: string, keys: readonly number[]): Promise<OnlineAnswer> {
  const features = FEATURE_NAMES.map((name) => `${ONLINE_VIEW}:${name}`);
  const body = JSON.stringify({ features, entities: { entity_id: keys } });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${url}/get-online-features`, { method: 'POST', headers, body });
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as OnlineAnswer;
}

/** Reads all entities, so that everything is decoded. */
export async function decodeAll(url: string, entities: number): Promise<void> {
  for (let from = 0; from < entities; from += KEYS_AT_ONCE) {
    const keys = Array.from({ length: Math.min(KEYS_AT_ONCE, entities - from) }, (_, place) => from + place);
    // The first reads of a bucket decode it, and may need more than the time of a read.
    while (!(await ask(url, keys).catch(() => false))) await sleep(100);
  }
}

export interface OnlineAnswer {
  readonly metadata: { readonly feature_names: readonly string[] };
  readonly results: readonly { readonly values: readonly unknown[]; readonly statuses: readonly unknown[] }[];
}

/** Entities of the digest that are there; of each hundred that are asked for five more are not. */
const DIGESTED = 50_000;
const [PRESENT_KEYS, ABSENT_KEYS] = [95, 5];

/**
 * A number of the values of many entities, of which one of twenty is absent, the same for servers that answer the same: `m1` is a double there, and a decimal here.
 * The number also covers whether each key was found. It leaves out other statuses, since Feast's differ from ours.
 * @throws if a server finds an entity that is not there, or does not find one that is
 */
export async function digestOfAnswers(url: string, entities: number): Promise<number> {
  const hash = createHash('sha256');
  const step = largest([1, Math.floor(entities / DIGESTED)]);
  for (let from = 0, absent = entities; from < entities; from += step * PRESENT_KEYS, absent += ABSENT_KEYS) {
    const present = Array.from({ length: PRESENT_KEYS }, (_, place) => from + place * step).filter(
      (key) => key < entities,
    );
    const keys = [...present, ...Array.from({ length: ABSENT_KEYS }, (_, place) => absent + place)];
    const { metadata, results } = await ask(url, keys);
    for (const name of FEATURE_NAMES) {
      const { values, statuses } = results[metadata.feature_names.indexOf(name)] ?? { values: [], statuses: [] };
      const found = statuses.map((status) => status !== 'NOT_FOUND');
      const wrong = keys.find((key, place) => found[place] !== key < entities);
      if (wrong !== undefined)
        throw new Error(`${url} answers ${String(statuses[keys.indexOf(wrong)])} for entity ${wrong}`);
      const alike = name === 'm1' ? values.map((value) => (value === null ? null : Number(value))) : values;
      hash.update(JSON.stringify([alike, found]));
    }
  }
  return hash.digest().readUIntBE(0, 6);
}
