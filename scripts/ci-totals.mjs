// Adds up the totals of vitest's JSON reports and prints `N passed, N failed` as the last line; exits 1 on any failure.
// Before it, each test that failed and why, since only the end of a long log may be kept.
// Usage: node scripts/ci-totals.mjs STEPS_FAILED REPORT.json...
import { existsSync, readFileSync } from 'node:fs';

const [stepsFailed, ...reports] = process.argv.slice(2);
/** Characters of a failure that are printed again. */
const MAX_REASON = 1_500;

let passed = 0;
let failed = 0;
let stepFailures = Number(stepsFailed);

for (const file of reports) {
  if (!existsSync(file)) {
    console.log(`no report: ${file} (the runner ended before any test)`);
    failed += 1;
    continue;
  }
  const report = JSON.parse(readFileSync(file, 'utf8'));
  passed += report.numPassedTests;
  failed += report.numFailedTests;
  for (const { name, message, assertionResults } of report.testResults) {
    if (message !== '') printFailure(name, message);
    for (const { status, fullName, failureMessages } of assertionResults) {
      if (status === 'failed') printFailure(`${name}: ${fullName}`, failureMessages.join('\n'));
    }
  }
  const skipped = report.numPendingTests + report.numTodoTests;
  if (skipped > 0) {
    console.log(`${skipped} tests were skipped, which counts as failed here`);
    failed += skipped;
  }
  // A report that failed without a failed test (a file that does not load) is a failed step already.
  if (!report.success && report.numFailedTests === 0) failed += 1;
}
if (stepFailures > 0) console.log(`${stepFailures} steps failed`);
const failures = failed > 0 ? failed : stepFailures;
console.log(`${passed} passed, ${failures} failed`);
process.exitCode = failures === 0 && passed > 0 ? 0 : 1;

function printFailure(title, reason) {
  console.log(`FAILED ${title}\n${reason.slice(0, MAX_REASON)}`);
}
