// Loaded before a program (`--import`): writes the most memory that it ever held, in KiB, to MORAINE_TEST_PEAK_FILE when it ends.
import { writeFileSync } from 'node:fs';

process.on('exit', () => writeFileSync(process.env.MORAINE_TEST_PEAK_FILE, String(process.resourceUsage().maxRSS)));
