import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ByteSink, type Engine, openEngine } from '../../../engine/index.js';
import type { IcebergType, NestedField, Schema } from '../../../iceberg/index.js';

/** A real engine over a fresh folder; `close` removes both. */
export interface Harness {
  readonly engine: Engine;
  readonly folder: string;
  readonly close: () => Promise<void>;
}

export async function openHarness(memoryLimitBytes = 1_000_000_000): Promise<Harness> {
  const root = await mkdtemp(join(tmpdir(), 'engine-'));
  const folder = join(root, 'data');
  await mkdir(folder);
  const engine = await openEngine({
    memoryLimitBytes,
    threads: 2,
    tempDirectory: join(root, 'temp'),
    allowedDirectories: [folder],
  });
  return {
    engine,
    folder,
    close: async () => {
      await engine.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

export const field = (id: number, name: string, type: IcebergType, required = false): NestedField => ({
  id,
  name,
  required,
  type,
});

export const schemaOf = (...fields: NestedField[]): Schema => ({ schemaId: 0, fields, identifierFieldIds: [] });

/** Collects what is written. */
export class MemorySink implements ByteSink {
  readonly parts: Uint8Array[] = [];

  write(bytes: Uint8Array): Promise<void> {
    this.parts.push(bytes.slice());
    return Promise.resolve();
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.parts);
  }

  get text(): string {
    return Buffer.from(this.bytes).toString('utf8');
  }
}
