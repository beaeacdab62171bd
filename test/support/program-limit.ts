/** For `spawnSync` and `execFileSync`: a program that hangs is ended, and fails its test. Nothing else interrupts a process that waits for one. */
export const PROGRAM_LIMIT = { timeout: 400_000, killSignal: 'SIGKILL' } as const;
