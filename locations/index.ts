/** Locations: how files are named, and how names are compared. */

export { type LocalPath, type Location, localPath } from './kinds.js';
export { comparableLocation, normalizeLocation, printableLocation } from './spelling.js';
