/** Facts as numbers with dotted names, which is what measurements are kept as. */

const METHODS = ['arg-max', 'max-join-back', 'asof-join-back'];

/** `{ views: [{ rows: 5 }] }` is `{ 'facts.views.0.rows': 5 }`; methods of joins become their place in a list. */
export function flattened(value: object, prefix = 'facts'): Record<string, number> {
  const flat: Record<string, number> = {};
  for (const [key, member] of Object.entries(value) as [string, unknown][]) {
    const name = `${prefix}.${key}`;
    if (typeof member === 'object' && member !== null) Object.assign(flat, flattened(member, name));
    else if (typeof member === 'string') flat[name] = METHODS.indexOf(member);
    else flat[name] = Number(member);
  }
  return flat;
}

type Nested = { [key: string]: Nested | number };

/** What {@link flattened} was given, as far as it begins with `facts`. */
export function unflattened<T>(flat: Readonly<Record<string, number>>): T {
  const root: Nested = {};
  for (const [name, value] of Object.entries(flat)) {
    const [first, ...path] = name.split('.');
    const last = path.pop();
    if (first !== 'facts' || last === undefined) continue;
    let place = root;
    for (const key of path) place = (place[key] ??= {}) as Nested;
    place[last] = value;
  }
  return restored(root) as T;
}

function restored(value: Nested): unknown {
  const members = Object.entries(value).map(([key, member]) => {
    if (typeof member === 'object') return [key, restored(member)];
    if (key === 'method') return [key, METHODS[member]];
    return [key, key.startsWith('is') || key.startsWith('may') ? member === 1 : member];
  });
  const isList = members.length > 0 && members.every(([key]) => /^\d+$/.test(String(key)));
  return isList ? members.map(([, member]) => member) : Object.fromEntries(members);
}
