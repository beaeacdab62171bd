/** Waits for all, even if some fail, and then throws the first failure: none goes on while the test is cleaned up after. */
export async function allOf<Works extends readonly Promise<unknown>[]>(works: readonly [...Works]) {
  await Promise.allSettled(works);
  return Promise.all(works);
}
