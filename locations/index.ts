/** Locations: how files are named, how names are compared, and which folders they mean here. */

export {
  comparableLocation,
  isStoreLocation,
  type LocalPath,
  type Location,
  localPath,
  normalizeLocation,
  printableLocation,
} from './location.js';
export { type LocationPrefix, PrefixMap } from './prefix-map.js';
export { Relocation } from './relocation.js';
