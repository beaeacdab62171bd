// Writes docs/cli.md and docs/errors.md from the built commands and error table. Run after `npm run build`.
import { writeFileSync } from 'node:fs';
import { cliReference, errorReference } from '../dist/cli/reference.js';

writeFileSync(new URL('../docs/cli.md', import.meta.url), cliReference());
writeFileSync(new URL('../docs/errors.md', import.meta.url), errorReference());
