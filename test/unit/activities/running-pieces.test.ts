import { expect, test } from 'vitest';
import { RunningPieces } from '../../../activities/running-pieces.js';
import { rejectionCode } from '../../support/error-code.js';
import { gate } from '../../support/gate.js';

test('what a process works on it does not run again beside it; others it does, and the same once it has ended', async () => {
  const pieces = new RunningPieces();
  const end = gate();
  const first = pieces.run('part 1 of plan', undefined, async () => {
    await end.opened;
    return 'slow';
  });
  const again = (piece: string) => pieces.run(piece, true, () => Promise.resolve('again'));
  expect(await rejectionCode(again('part 1 of plan'))).toBe('OVERLOADED');
  expect(await again('part 2 of plan')).toBe('again');
  // A later attempt of the first run, whose worker was taken for lost.
  expect(await pieces.run('part 1 of plan', undefined, () => Promise.resolve('later'))).toBe('later');
  expect(await rejectionCode(again('part 1 of plan'))).toBe('OVERLOADED');
  end.open();
  expect(await first).toBe('slow');
  expect(await again('part 1 of plan')).toBe('again');
});
