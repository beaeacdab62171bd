/** Locations: how files are named, how names are compared, and which folders they mean here. */

export { type LocalPath, type Location, localPath } from './kinds.js';
export { type LocationPrefix, PrefixMap } from './prefix-map.js';
export { comparableLocation, normalizeLocation, printableLocation } from './spelling.js';
