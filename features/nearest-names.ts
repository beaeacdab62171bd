/** Suggestions for a name that does not exist. */

/** Number of single-character edits between two words (Levenshtein), computed row by row. */
export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

/** The candidates most like `name`, best first: at most `limit`, and none that differs in more than half of its letters. */
export function nearestNames(name: string, candidates: Iterable<string>, limit = 3): readonly string[] {
  const wanted = name.slice(0, 200).toLowerCase();
  return [...candidates]
    .map((candidate) => ({ candidate, distance: editDistance(wanted, candidate.slice(0, 200).toLowerCase()) }))
    .filter(
      ({ candidate, distance }) => distance <= Math.max(1, Math.floor(Math.max(wanted.length, candidate.length) / 2)),
    )
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, limit)
    .map(({ candidate }) => candidate);
}

/** The end of an error sentence: the nearest names, or some that exist. */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  const all = [...candidates];
  if (all.length === 0) return '(there are none).';
  const near = nearestNames(name, all);
  if (near.length > 0) return `Did you mean ${near.map((n) => `'${n}'`).join(' or ')}?`;
  const shown = all.slice(0, 10).map((n) => `'${n}'`);
  return `There are ${shown.join(', ')}${all.length > shown.length ? `, and ${all.length - shown.length} more` : ''}.`;
}
