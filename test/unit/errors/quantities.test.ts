import { describe, expect, it } from 'vitest';
import { formatColumns } from '../../../cli/output/output.js';
import { showsColour, styled } from '../../../cli/output/style.js';
import { countedText, countText, durationText, sizeText } from '../../../errors/index.js';

describe('quantities for people', () => {
  it.each<[number | bigint | string, string]>([
    [0, '0'],
    [999, '999'],
    [1000n, '1,000'],
    ['5819079', '5,819,079'],
    // Beyond what a double holds exactly.
    ['9223372036854775807', '9,223,372,036,854,775,807'],
  ])('the count %s is shown as %s', (count, text) => {
    expect(countText(count)).toBe(text);
  });

  it('counts name what they count', () => {
    expect([0, 1, '1', 1200n].map((count) => countedText(count, 'row'))).toEqual([
      '0 rows',
      '1 row',
      '1 row',
      '1,200 rows',
    ]);
  });

  it.each<[number | bigint | string, string]>([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [13_800_000n, '13.8 MB'],
    ['99949', '99.9 kB'],
    [99_950, '100 kB'],
    [999_499, '999 kB'],
    [999_500, '1.0 MB'],
    [2_500_000_000, '2.5 GB'],
    [7_000_000_000_000n, '7.0 TB'],
    [4_000_000_000_000_000_000n, '4000 PB'],
  ])('the size %s is shown as %s', (bytes, text) => {
    expect(sizeText(bytes)).toBe(text);
  });

  it.each([
    [-5, '0 ms'],
    [850, '850 ms'],
    [999.4, '999 ms'],
    [4_200, '4.2 s'],
    [59_940, '59.9 s'],
    [59_950, '1 min 0 s'],
    [1_239_000, '20 min 39 s'],
    [3_599_600, '1 h 0 min'],
    [7_500_000, '2 h 5 min'],
    [86_399_000, '23 h 59 min'],
    [86_400_000, '1 d 0 h'],
    [273_600_000, '3 d 4 h'],
  ])('%s ms are shown as %s', (ms, text) => {
    expect(durationText(ms)).toBe(text);
  });

  it('numbers are aligned at their last digit', () => {
    expect(
      formatColumns(
        ['table', { number: 'rows' }, 'note', { number: 'size' }],
        [
          ['a', '1,200', 'x', '1.0 kB'],
          ['long', '7', '', '13.8 MB'],
        ],
      ),
    ).toBe('table   rows  note     size\na      1,200  x      1.0 kB\nlong       7        13.8 MB\n');
  });
});

describe('colour', () => {
  const terminal = { isTTY: true };

  it('is for terminals, unless NO_COLOR says otherwise', () => {
    expect(showsColour(terminal, {})).toBe(true);
    expect(showsColour(terminal, { NO_COLOR: '' })).toBe(true);
    expect(showsColour(terminal, { NO_COLOR: '1' })).toBe(false);
    expect(showsColour(terminal, { TERM: 'dumb' })).toBe(false);
    expect(showsColour({}, {})).toBe(false);
  });

  it('is put around the text and taken back after it', () => {
    expect(styled(terminal, 'red', 'error:', {})).toBe('\u001b[31merror:\u001b[39m');
    expect(styled(terminal, 'red', 'error:', { NO_COLOR: '1' })).toBe('error:');
  });
});
