/** Reads of the bench of online reads: keys, latencies, throughput and checksums. */
import { createHash } from 'node:crypto';
import type { OnlineReader, OnlineRequest } from '../online/index.js';
import { ONLINE_VIEW } from './online-source.js';

type Entities = Pick<OnlineRequest, 'entities'>;

/** Entities of which hardly any two are in one bucket, by their place. */
export const entityAt = (place: number): number => place * 37;

/** Keys over all entities and a twentieth more, from a seed. */
export class Keys {
  readonly #entities: number;
  readonly #next = randomNumbers(12345);

  constructor(entities: number) {
    this.#entities = entities;
  }

  uniform(count: number): Entities {
    return { entities: Array.from({ length: count }, () => ({ entity_id: Math.floor(this.#next() * this.#keys) })) };
  }

  /** Entities by rank, the n-th with a probability of about 1/n; ranks are spread over the buckets. */
  zipf(count: number): Entities {
    const rank = (): number => Math.floor(this.#keys ** this.#next()) - 1;
    return { entities: Array.from({ length: count }, () => ({ entity_id: (rank() * 7919) % this.#keys })) };
  }

  only(place: number): Entities {
    return { entities: [{ entity_id: entityAt(place) }] };
  }

  get #keys(): number {
    return Math.floor(this.#entities / 0.95);
  }
}

/** Numbers from 0 to 1 from a seed. */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Reads with these options. */
export function online(reader: OnlineReader, options: Pick<OnlineRequest, 'maxStalenessMs'>) {
  const read = (entities: Entities) => reader.getOnlineFeatures({ view: ONLINE_VIEW, ...options, ...entities });
  return {
    /** Milliseconds of reads one after the other. */
    async latencies(count: number, next: (place: number) => Entities) {
      const times = new Float64Array(count);
      for (let place = 0; place < count; place += 1) {
        const entities = next(place);
        const began = performance.now();
        await read(entities);
        times[place] = performance.now() - began;
        // A server has other work between requests: timers and answers get their turn.
        if (place % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
      }
      times.sort();
      return { p50: times[Math.floor(count * 0.5)] ?? 0, p99: times[Math.floor(count * 0.99)] ?? 0 };
    },
    /** Reads per second of so many readers. */
    async throughput(readers: number, milliseconds: number, next: () => Entities): Promise<number> {
      let reads = 0;
      const began = performance.now();
      const one = async (): Promise<void> => {
        while (performance.now() - began < milliseconds) {
          await read(next());
          reads += 1;
          if (reads % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
      };
      await Promise.all(Array.from({ length: readers }, one));
      return (reads * 1000) / (performance.now() - began);
    },
  };
}

/** Reads every entity; the checksum of all values. */
export async function readAll(reader: OnlineReader, entities: number): Promise<bigint> {
  let sum = 0n;
  const step = 1_000;
  for (let from = 0; from < entities; from += step) {
    const those = Array.from({ length: Math.min(step, entities - from) }, (_, place) => ({ entity_id: from + place }));
    const { rows, features } = await reader.getOnlineFeatures({
      view: ONLINE_VIEW,
      entities: those,
      maxStalenessMs: 3_600_000,
    });
    for (const row of rows) {
      for (const [place, { value }] of row.entries()) sum += numberOf(features[place]?.name ?? '', value);
    }
  }
  return sum;
}

function numberOf(name: string, value: unknown): bigint {
  if (value === null) return name === 'b1' ? 3n : 1n;
  if (typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'string') return BigInt(`0x${createHash('md5').update(value).digest('hex').slice(0, 8)}`);
  return BigInt(name === 'i1' ? (value as number) : (value as number) * 4);
}
