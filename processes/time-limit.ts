/** A time limit for work that cannot be cancelled. Imports nothing that is slow to load. */

/**
 * The result of the work, if it comes in time. Work that is late goes on; nobody hears how it ends.
 * @param limitMs milliseconds
 * @param late makes the error of work that is late
 */
export async function withinTime<T>(work: Promise<T>, limitMs: number, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
