import { expect, test } from 'vitest';
import { type PrefixGrant, StorageGrants } from '../../../storage/index.js';

const keys = (name: string, more: Partial<PrefixGrant> = {}): PrefixGrant => ({
  prefix: '',
  options: { 's3.access-key-id': name, 's3.secret-access-key': 'secret' },
  ...more,
});
const nameOf = (grant: PrefixGrant | undefined): string | undefined => grant?.options['s3.access-key-id'];

/** Grants whose clock is set by hand; each renewal gives the next of the named keys. */
function setUp(...renewals: readonly PrefixGrant[]) {
  const clock = { nowMs: 0, asked: 0 };
  const grants = new StorageGrants({ scope: 'test', nowMs: () => clock.nowMs });
  const left = [...renewals];
  const renew = () => {
    clock.asked += 1;
    const next = left.shift();
    return next === undefined ? Promise.reject(new Error('no more')) : Promise.resolve([next]);
  };
  return { grants, clock, renew };
}

test('the folder nearest around a file decides whose access is used, and nothing outside of the folders has any', () => {
  const { grants, renew } = setUp();
  grants.set('outer', { folders: ['s3://lake/a'], prefixes: [keys('outer')], renew });
  grants.set('inner', { folders: ['s3a://lake/a/b/', 's3://other'], prefixes: [keys('inner')], renew });
  grants.set('local', { folders: ['/srv/a', 'file:///srv/b'], prefixes: [keys('local')], renew });
  const at = (location: string) => nameOf(grants.find(location)?.at(location));
  expect(at('s3://lake/a/file')).toBe('outer');
  expect(at('s3://lake/a')).toBe('outer');
  expect(at('s3://lake/a/b/c/file')).toBe('inner');
  expect(at('s3://lake/a/bc/file')).toBe('outer');
  expect(at('s3://lake/ab/file')).toBeUndefined();
  expect(at('s3://lake')).toBeUndefined();
  expect(at('s3://other/file')).toBe('inner');
  expect(at('s3://others/file')).toBeUndefined();
  expect(at('/srv/a/file')).toBeUndefined();
  grants.set('inner', { folders: ['s3://moved'], prefixes: [keys('inner')], renew });
  expect([at('s3://lake/a/b/c/file'), at('s3://other/file'), at('s3://moved/x')]).toEqual([
    'outer',
    undefined,
    'inner',
  ]);
});

test('of several credentials of a table the one with the longest prefix counts', () => {
  const { grants, renew } = setUp();
  const prefixes = [
    keys('short', { prefix: 's3://lake/a' }),
    keys('long', { prefix: 's3://lake/a/data' }),
    keys('all'),
  ];
  grants.set('table', { folders: ['s3://lake/a'], prefixes, renew });
  const at = (location: string) => nameOf(grants.find(location)?.at(location));
  expect(at('s3://lake/a/data/file')).toBe('long');
  expect(at('s3://lake/a/metadata/file')).toBe('short');
  grants.set('table', { folders: ['s3://lake/a'], prefixes: [keys('data', { prefix: 's3://lake/a/data' })], renew });
  expect(at('s3://lake/a/metadata/file')).toBeUndefined();
});

test('credentials are renewed when a third of their time is left, but five minutes at most, once for all who wait', async () => {
  const { grants, clock, renew } = setUp(keys('b', { expiresMs: 90_000 }), keys('c', { expiresMs: 10_000_000 }));
  grants.set('t', { folders: ['s3://lake/t'], prefixes: [keys('a', { expiresMs: 30_000 })], renew });
  const held = grants.find('s3://lake/t/x') ?? expect.unreachable();
  const fresh = async () => nameOf(await held.fresh('s3://lake/t/x'));
  clock.nowMs = 19_999;
  expect(await fresh()).toBe('a');
  clock.nowMs = 20_000;
  expect(await Promise.all([fresh(), fresh(), fresh()])).toEqual(['b', 'b', 'b']);
  expect(clock.asked).toBe(1);
  clock.nowMs = 80_000;
  expect(await fresh()).toBe('c');
  clock.nowMs = 9_699_999;
  expect(await fresh()).toBe('c');
  clock.nowMs = 9_700_000;
  expect([await fresh(), clock.asked]).toEqual(['c', 3]);
  // It does not answer: what is there is used to its end, and it is not asked for every request.
  clock.nowMs = 9_704_999;
  expect([await fresh(), clock.asked]).toEqual(['c', 3]);
  clock.nowMs = 9_705_000;
  expect([await fresh(), clock.asked]).toEqual(['c', 4]);
  clock.nowMs = 10_000_000;
  await expect(fresh()).rejects.toThrow('no more');
});

test('credentials that had ended when they came are used all the same, and asked for again after a while: a clock is wrong', async () => {
  const { grants, clock, renew } = setUp(keys('b', { expiresMs: 5000 }), keys('c', { expiresMs: 6000 }));
  clock.nowMs = 100_000;
  grants.set('t', { folders: ['s3://lake/t'], prefixes: [keys('a', { expiresMs: 4000 })], renew });
  const held = grants.find('s3://lake/t') ?? expect.unreachable();
  const fresh = async () => nameOf(await held.fresh('s3://lake/t'));
  expect([await fresh(), await fresh(), clock.asked]).toEqual(['a', 'a', 0]);
  clock.nowMs = 105_000;
  expect([await fresh(), await fresh(), clock.asked]).toEqual(['b', 'b', 1]);
});

test('access that does not say when it ends is renewed after ten minutes, a signer like keys', async () => {
  const sign = () => Promise.resolve({});
  const { grants, clock, renew } = setUp({ prefix: '', options: {}, sign }, keys('b'));
  grants.set('t', { folders: ['s3://lake/t'], prefixes: [keys('a')], renew });
  const held = grants.find('s3://lake/t') ?? expect.unreachable();
  clock.nowMs = 399_999;
  expect(nameOf(await held.fresh('s3://lake/t'))).toBe('a');
  clock.nowMs = 400_000;
  expect((await held.fresh('s3://lake/t'))?.sign).toBe(sign);
  clock.nowMs = 800_000;
  expect(nameOf(await held.fresh('s3://lake/t'))).toBe('b');
});

test('what a store refuses is asked for again, unless it is new: then something else is wrong', async () => {
  const { grants, clock, renew } = setUp(keys('b'));
  grants.set('t', { folders: ['s3://lake/t'], prefixes: [keys('a')], renew });
  const held = grants.find('s3://lake/t') ?? expect.unreachable();
  const used = held.at('s3://lake/t') ?? expect.unreachable();
  clock.nowMs = 4999;
  expect([await held.refused(used), clock.asked]).toEqual([false, 0]);
  clock.nowMs = 5000;
  expect([await held.refused(used), clock.asked]).toEqual([true, 1]);
  // Another request that was sent with the old ones only has to take the new ones.
  expect([await held.refused(used), clock.asked]).toEqual([true, 1]);
  expect(await held.refused(held.at('s3://lake/t') ?? expect.unreachable())).toBe(false);
});

test('what comes with a table while it is asked for again is kept', async () => {
  const { grants, clock } = setUp();
  let answer: (prefixes: readonly PrefixGrant[]) => void = () => undefined;
  const renew = () => new Promise<readonly PrefixGrant[]>((resolve) => (answer = resolve));
  const ended = keys('a', { expiresMs: 10 });
  grants.set('t', { folders: ['s3://lake/t'], prefixes: [ended], renew });
  const held = grants.find('s3://lake/t') ?? expect.unreachable();
  clock.nowMs = 10;
  const waiting = held.fresh('s3://lake/t');
  grants.set('t', { folders: ['s3://lake/t'], prefixes: [keys('loaded')], renew });
  answer([keys('asked')]);
  expect(nameOf(await waiting)).toBe('loaded');
});
