import { expect, test } from 'vitest';
import { isLeftOver, isOfEarlierAttempt, stagingName } from '../../../reduction/trino/staging-name.js';

const MADE_MS = 1_767_225_600_000;
const WEEK_MS = 604_800_000;
const UUID = '0f8fad5b-d9cb-469f-a165-70867728950e';
const WORK = '00112233445566ff';

test('a name says what the table holds, when it was made, and for which attempt', () => {
  expect(stagingName('probe', MADE_MS, undefined, UUID)).toBe('probe_1767225600000_0f8fad5bd9cb469fa16570867728950e');
  expect(stagingName('rows', MADE_MS, { work: WORK, number: 12 }, UUID)).toBe(
    'rows_1767225600000_00112233445566ff_12_0f8fad5bd9cb469fa16570867728950e',
  );
});

test('a table is a left-over after a week, whoever made it; other tables never are', () => {
  const names = [
    stagingName('rows', MADE_MS, undefined, UUID),
    stagingName('files', MADE_MS, { work: WORK, number: 1 }, UUID),
  ];
  for (const name of names) {
    expect(isLeftOver(name, MADE_MS + WEEK_MS)).toBe(false);
    expect(isLeftOver(name, MADE_MS + WEEK_MS + 1)).toBe(true);
  }
  for (const name of ['rows', 'rows_1767225600000', `other_${names[0]}`, `${names[0]}_copy`])
    expect(isLeftOver(name, MADE_MS + 2 * WEEK_MS)).toBe(false);
});

test('only tables of earlier attempts at the same work are taken away', () => {
  const made = (number: number, work = WORK) => stagingName('rows', MADE_MS, { work, number }, UUID);
  const third = { work: WORK, number: 3 };
  expect([1, 2, 3, 10].map((number) => isOfEarlierAttempt(made(number), third))).toEqual([true, true, false, false]);
  expect(isOfEarlierAttempt(made(9), { work: WORK, number: 10 })).toBe(true);
  expect(isOfEarlierAttempt(made(1, 'ff11223344556600'), third)).toBe(false);
  expect(isOfEarlierAttempt(stagingName('rows', MADE_MS, undefined, UUID), third)).toBe(false);
});
