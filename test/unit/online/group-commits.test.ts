/** What becomes one group, and what waits for the next one. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { GroupCommits, type GroupWork, type RequestSize } from '../../../online/index.js';

const size = (rows: number, bytes = 1): RequestSize => ({ rows, bytes });

/** Groups in the order that they are done in. The first one takes so long that the others arrive meanwhile. */
function groups(work: Partial<GroupWork<string, string>> = {}) {
  const done: string[][] = [];
  const commits = new GroupCommits<string, string>(1, {
    isAlike: ([first], [other]) => first === other,
    commit: async (_, requests) => {
      done.push([...requests]);
      await sleep(20);
      return { outcomes: requests.map((result) => ({ result })) };
    },
    ...work,
  });
  return { done, add: (request: string, of: RequestSize) => commits.add('table', request, of), commits };
}

test('requests that arrive while a group is done are the next one, in their order', async () => {
  const { done, add } = groups();
  const first = add('a1', size(1));
  await sleep(10);
  expect(await Promise.all([first, ...['a2', 'a3', 'b1', 'a4'].map((request) => add(request, size(1)))])).toEqual([
    ...['a1', 'a2', 'a3', 'b1', 'a4'],
  ]);
  expect(done).toEqual([['a1'], ['a2', 'a3'], ['b1'], ['a4']]);
});

test('a group has at most so many rows and bytes, but for a request that is larger alone', async () => {
  const { done, add } = groups({ maxRows: 10 });
  const large = 65 * 2 ** 20;
  await Promise.all([
    ...[add('a1', size(6)), add('a2', size(4)), add('a3', size(1)), add('a4', size(99))],
    ...[add('a5', size(1, large)), add('a6', size(1))],
  ]);
  expect(done).toEqual([['a1', 'a2'], ['a3'], ['a4'], ['a5'], ['a6']]);
});

test('the next group is done while one before it may not be answered yet', async () => {
  let answer = (): void => undefined;
  const answerable = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const { add, commits } = groups({
    commit: (_, requests) => {
      const outcomes = requests.map((result) => ({ result }));
      return Promise.resolve(requests.includes('a1') ? { outcomes, answerable } : { outcomes });
    },
  });
  const order: string[] = [];
  const noted = async (request: string): Promise<void> => void order.push(await add(request, size(1)));
  const first = noted('a1');
  await sleep(10);
  await noted('a2');
  expect(order).toEqual(['a2']);
  const idle = commits.idle().then(() => order.push('idle'));
  answer();
  await Promise.all([first, idle]);
  expect(order).toEqual(['a2', 'a1', 'idle']);
});
