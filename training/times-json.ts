/** Times of entity rows in plans and descriptions. */
import { z } from 'zod';
import type { TimesUs } from '../features/index.js';
import { longText } from '../tables/index.js';

export const timesJson = z.object({ lowest: longText, highest: longText });

/** What {@link timesJson} reads. */
export const timesToJson = ({ lowest, highest }: TimesUs) => ({ lowest: String(lowest), highest: String(highest) });
