import { describe, expect, test } from 'vitest';
import { parseMaterializeRequest, runWorkflowId } from '../../../workers/index.js';
import { codeOf } from '../../support/error-code.js';

describe('the input of materialize', () => {
  test.each([
    [{ view: 'v' }, { view: 'v' }],
    [
      { view: 'v', end: '1970-01-01T00:00:01' },
      { view: 'v', endUs: 1_000_000n },
    ],
    [
      { view: 'v', start: '1969-12-31T23:59:59.999999Z', end: '1970-01-01T02:00:00+01:00' },
      { view: 'v', startUs: -1n, endUs: 3_600_000_000n },
    ],
    [
      { view: 'v', start: '2001-01-01', end: '2001-01-01' },
      { view: 'v', startUs: 978_307_200_000_000n, endUs: 978_307_200_000_000n },
    ],
  ])('%j is understood', (input, request) => {
    expect(parseMaterializeRequest(input)).toEqual(request);
  });

  test.each([
    [undefined, 'expected object'],
    [null, 'expected object'],
    ['airport_delay', 'expected object'],
    [{}, '"view"'],
    [{ view: '' }, '"view"'],
    [{ view: 7 }, '"view"'],
    [{ view: 'v', begin: '2001-01-01' }, '"begin"'],
    [{ view: 'v', start: 20010101 }, '"start"'],
    [{ view: 'v', start: 'yesterday' }, '"start"'],
    [{ view: 'v', start: '2001-02-30' }, '"start"'],
    [{ view: 'v', start: '2001-02-01', end: '2001-01-01' }, 'is after'],
    [{ view: 'v', every: '1h' }, 'Schedule'],
    [{ view: 'v', every: '1h', start: '2001-01-01' }, 'cannot be combined'],
    [{ view: 'v', every: 'hourly' }, '"every"'],
    [{ view: 'v', every: '0s' }, '"every"'],
  ])('%j is refused', (input, reason) => {
    const parse = () => parseMaterializeRequest(input);
    expect(codeOf(parse)).toBe('INVALID_ARGUMENT');
    expect(parse).toThrow(reason);
  });

  test('a schedule that fires for 02:00 every hour means [01:00, 02:00)', () => {
    const request = parseMaterializeRequest({ view: 'v', every: '1h' }, '2026-01-01T02:00:00.000Z');
    expect(runWorkflowId(request, null)).toBe('materialize/v/2026-01-01T01:00:00.000Z..2026-01-01T02:00:00.000Z');
  });

  test('every interval has an id of its own', () => {
    expect(runWorkflowId({ view: 'v' }, null)).toBe('materialize/v/incremental');
    expect(runWorkflowId({ view: 'v' }, '0123456789ab')).toBe('materialize/v/incremental@0123456789ab');
    expect(runWorkflowId({ view: 'v', endUs: 1n }, null)).toBe(
      'materialize/v/incremental..1970-01-01T00:00:00.000001Z',
    );
    expect(runWorkflowId({ view: 'v', startUs: 0n }, null)).toBe('materialize/v/1970-01-01T00:00:00.000Z..');
  });
});
