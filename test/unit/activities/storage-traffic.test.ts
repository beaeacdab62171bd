import { expect, test } from 'vitest';
import { withStorageTraffic } from '../../../activities/storage-traffic.js';
import { noTraffic } from '../../../storage/index.js';
import { countTraffic } from '../../../storage/traffic.js';

test('the result of a step says what this attempt asked of object stores, if it asked anything', async () => {
  const store = noTraffic();
  const steps = withStorageTraffic({
    extract: async ({ bytes }: { bytes: number }) => {
      await Promise.resolve();
      countTraffic(store, 'requests', 1);
      countTraffic(store, 'readBytes', bytes);
      return { rows: '3' };
    },
    look: () => Promise.resolve({ rows: '0' }),
    list: () => Promise.resolve(countTraffic(store, 'requests', 1)).then(() => ['a']),
    end: () => Promise.resolve(countTraffic(store, 'requests', 1)),
    fail: () => Promise.reject(new Error('no')),
  });
  const traffic = (readBytes: number) => ({ requests: 1, readBytes, writtenBytes: 0 });
  // Side by side, each counts its own.
  expect(await Promise.all([steps.extract({ bytes: 5 }), steps.extract({ bytes: 7 })])).toEqual([
    { rows: '3', storageTraffic: traffic(5) },
    { rows: '3', storageTraffic: traffic(7) },
  ]);
  expect(await steps.look()).toEqual({ rows: '0' });
  expect(await steps.list()).toEqual(['a']);
  expect(await steps.end()).toBeUndefined();
  await expect(steps.fail()).rejects.toThrow('no');
});
