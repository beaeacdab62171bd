/** Writing `storage.locations` into `moraine.yaml`. */
import { parseDocument } from 'yaml';

/**
 * The text of a configuration with further prefixes mapped. Comments, order and everything else stay.
 * @param entries prefixes of locations, with the folders that they mean, as they are to be written
 */
export function withMappedLocations(text: string, entries: ReadonlyMap<string, string>): string {
  const document = parseDocument(text, { version: '1.2' });
  for (const [prefix, folder] of entries) document.setIn(['storage', 'locations', prefix], folder);
  return document.toString({ lineWidth: 0 });
}
