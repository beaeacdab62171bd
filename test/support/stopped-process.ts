/** Keeps a process that the service works in from going on. */
import { readFileSync } from 'node:fs';
import { expect, onTestFinished } from 'vitest';

/** SIGHUP's bit of the signals that a process catches. Node itself does not catch it. */
const SIGHUP = 1n;

/** Waits until a process has a child for offline work that has begun, and stops that. It goes on at the end of the test at the latest. */
export async function stopOfflineChild(parent: number): Promise<number> {
  const children = (): readonly number[] =>
    readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  const find = (): number | undefined =>
    children().find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('offline-entry') && hasBegun(pid));
  await expect.poll(find, { interval: 10, timeout: 10_000 }).toBeDefined();
  const pid = find() ?? 0;
  process.kill(pid, 'SIGSTOP');
  onTestFinished(() => {
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // It has ended.
    }
  });
  return pid;
}

function hasBegun(pid: number): boolean {
  const [, mask = '0'] = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return (BigInt(`0x${mask}`) & SIGHUP) !== 0n;
}
