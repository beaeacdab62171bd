/** Suggestions for a name that does not exist. */

/** Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`: optimal string alignment distance. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replace = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, replace);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (beforePrevious[j - 2] ?? 0) + 1);
      }
      current.push(best);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length] ?? 0;
}

/** Longer names are compared by their beginnings only. */
const COMPARED_CHARACTERS = 200;

/**
 * The known names that `name` was probably meant to be, best first: at most `limit`, and none that differs in more than a
 * third of its letters, or in its only one. Letter case does not count.
 */
export function nearestNames(name: string, known: Iterable<string>, limit = 3): readonly string[] {
  const wanted = name.slice(0, COMPARED_CHARACTERS).toLowerCase();
  return [...known]
    .map((candidate) => {
      const compared = candidate.slice(0, COMPARED_CHARACTERS).toLowerCase();
      return {
        candidate,
        distance: editDistance(wanted, compared),
        allowed: Math.max(wanted.length, compared.length) / 3,
      };
    })
    .filter(({ distance, allowed }) => distance <= Math.max(1, Math.floor(allowed)) && distance < 3 * allowed)
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, limit)
    .map(({ candidate }) => candidate);
}

/** The end of an error sentence: the nearest names, or some that exist. */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  const all = [...candidates];
  if (all.length === 0) return 'There are none.';
  const near = nearestNames(name, all);
  if (near.length > 0) return `Did you mean ${near.map((n) => `'${n}'`).join(' or ')}?`;
  const shown = all.slice(0, 10).map((n) => `'${n}'`);
  return `There are ${shown.join(', ')}${all.length > shown.length ? `, and ${all.length - shown.length} more` : ''}.`;
}
