/** Which parts are decoded, by how many statements, and who waits for them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deleteRows } from '../../../deletes/index.js';
import type { Engine } from '../../../engine/index.js';
import { bindExpression, currentSchema, parseExpression } from '../../../iceberg/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { OnlineReader, type OnlineRequest } from '../../../online/index.js';
import { filesOf } from '../../support/compaction-lab.js';
import { DeleteWriter } from '../../support/delete-writer.js';
import { type Gate, gated } from '../../support/gated-engine.js';
import { Lab } from '../../support/materialization-lab.js';
import { partsDecoded } from '../../support/parts-decoded.js';

/** Rows in each of the four buckets. */
const ALL = Array.from({ length: 1_000 }, (_, key) => key);
const HOT = { maxStalenessMs: 60_000 };

let lab: Lab;
let reader: OnlineReader;
let gate: Gate;
/** Statements that the reader has begun. */
let statements = 0;
beforeEach(async () => {
  lab = await Lab.open();
  await lab.createSource();
  await lab.appendSelect(
    'SELECT range::BIGINT, make_timestamptz(10000000), NULL::TIMESTAMPTZ, range * 10::DOUBLE FROM range(1000)',
  );
  await materializeDirect(lab.deps, { view: 'readings' });
  gate = gated(lab.deps.engine);
  statements = 0;
  reader = new OnlineReader({ ...lab.deps, engine: counted(gate.engine), queueTimeoutMs: 60_000 });
});
afterEach(async () => {
  gate.open();
  await reader.close();
  await lab.close();
});

function counted(engine: Engine): Engine {
  const withConnection: Engine['withConnection'] = async (...work) => {
    statements += 1;
    return await engine.withConnection(...work);
  };
  return new Proxy(engine, {
    get: (target, name): unknown => (name === 'withConnection' ? withConnection : Reflect.get(target, name, target)),
  });
}

async function values(keys: readonly number[], more: Partial<OnlineRequest> = {}) {
  const entities = keys.map((k) => ({ k }));
  const request = { view: 'readings', entities, nowUs: 1_000_000_000_000n, readTimeoutMs: 60_000, ...more };
  const { rows } = await reader.getOnlineFeatures(request);
  return rows.map(([value]) => value?.value);
}

/** Others have had their turns, many times over. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('a part that is not decoded', () => {
  it('is decoded by one statement for all reads that wait for it, those among them that come while it runs', async () => {
    await values([]);
    gate.close();
    const asked = Array.from({ length: 25 }, () => values([7], HOT));
    await expect.poll(() => statements).toBe(1);
    asked.push(...Array.from({ length: 25 }, () => values([7], HOT)));
    await turns();
    expect(reader.waitingReads).toBe(50);
    gate.open();
    expect(await Promise.all(asked)).toEqual(Array.from({ length: 50 }, () => [70]));
    expect(statements).toBe(1);
    expect(reader.cacheStats.parts).toBe(1);
  });

  it('holds up no read of decoded parts', async () => {
    expect(await values([7])).toEqual([70]);
    gate.close();
    const before = statements;
    let isAnswered = false;
    const cold = values(ALL, HOT).finally(() => (isAnswered = true));
    await expect.poll(() => statements).toBe(before + 1);
    for (let read = 0; read < 10; read += 1) expect(await values([7], HOT)).toEqual([70]);
    // With a look at the catalog, too.
    expect(await values([7])).toEqual([70]);
    expect({ isAnswered, waiting: reader.waitingReads }).toEqual({ isAnswered: false, waiting: 1 });
    gate.open();
    expect(await cold).toEqual(ALL.map((key) => key * 10));
  });
});

describe('rows that are deleted', () => {
  const ROW = 7;
  const expected = ALL.map((key) => (key === ROW ? null : key * 10));
  const online = { namespace: ['moraine_online'], name: 'readings' };

  it.each([
    [2, 'a file of positions'],
    [3, 'a deletion vector'],
  ])('by Moraine in version %i, by %s: the parts of their bucket are decoded, and no others', async (version) => {
    if (version === 3) await new DeleteWriter(lab, online).upgradeToV3();
    expect(await values(ALL)).toEqual(ALL.map((key) => key * 10));
    expect(reader.cacheStats.parts).toBe(4);
    const table = await lab.online();
    const filter = bindExpression(parseExpression(`k = ${ROW}`), currentSchema(table.metadata));
    const deleted = await lab.engine.withConnection((connection) => deleteRows(table, connection, { filter }));
    expect(deleted).toMatchObject({ rows: 1n, files: 1, filesRemoved: 0 });
    const decoded = await partsDecoded(async () => {
      await reader.committed('readings', await lab.online());
      await reader.settled();
      expect(await values(ALL, HOT)).toEqual(expected);
    });
    expect(decoded).toBe(1);
    const deletes = (await filesOf(await lab.online())).filter((file) => file.deletes !== undefined);
    expect(deletes).toHaveLength(1);
  });
});
