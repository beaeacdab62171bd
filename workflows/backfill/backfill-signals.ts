/** What people may say to a backfill, by the names that they see in the web UI. */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { BackfillProgress } from '../../activities/backfill-contract.js';

export const pause = defineSignal('pause');
export const resume = defineSignal('resume');
/** The windows that failed are tried again. */
export const retry = defineSignal('retry');
/** How many windows are worked on at a time from now on. Returns that number. */
export const changeConcurrency = defineUpdate<number, [number]>('changeConcurrency');
export const backfillProgress = defineQuery<BackfillProgress>('progress');
