/** Global setup of tests with other servers and whole installations: as {@link memoryFolder}, where there is room for a few gigabytes. */
import { memoryFolder } from './memory-folder.js';

export default memoryFolder(8 * 2 ** 30);
