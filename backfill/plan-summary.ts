import type { BackfillPlan } from './plan.js';
import { windowCount } from './windows.js';

/** A plan in a few numbers. */
export interface PlanSummary {
  readonly windows: number;
  readonly windowsWithRows: number;
  readonly files: number;
  readonly rows: number;
  readonly bytes: number;
}

export function planSummary(plan: BackfillPlan): PlanSummary {
  return {
    windows: windowCount(plan),
    windowsWithRows: plan.windows.length,
    files: plan.files,
    rows: plan.windows.reduce((sum, { rows }) => sum + rows, 0),
    bytes: plan.windows.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}
