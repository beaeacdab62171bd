/** Temporal's web UI in Chromium, used as a person would: by its labels and buttons. */
import type { Browser, FrameLocator, Locator, Page } from 'playwright-core';
import { launchChromium } from './chromium.js';

const STEP_MS = 30_000;
export const VIEWPORT = { width: 1200, height: 900 };
/** Until what was just changed has been laid out. */
const SETTLE_MS = 500;

/** The input of the form that starts a workflow. */
export interface StartForm {
  readonly workflowId: string;
  readonly taskQueue: string;
  readonly workflowType: string;
  /** The JSON, as typed. */
  readonly input: string;
}

/** The address of the run that a tab belongs to. */
const parentOf = (url: string): string => url.slice(0, url.lastIndexOf('/'));

export class TemporalUi {
  readonly page: Page;
  readonly #browser: Browser;
  readonly #root: string;

  private constructor(browser: Browser, page: Page, root: string) {
    this.#browser = browser;
    this.page = page;
    this.#root = root;
  }

  /** @param uiAddress URL of the UI */
  static async open(uiAddress: string): Promise<TemporalUi> {
    const browser = await launchChromium();
    const page = await browser.newPage({ viewport: VIEWPORT });
    page.setDefaultTimeout(STEP_MS);
    return new TemporalUi(browser, page, `${uiAddress}/namespaces/default`);
  }

  close(): Promise<void> {
    return this.#browser.close();
  }

  /**
   * Goes to a page, by a link: to load the application anew takes two seconds of a core. It is loaded anew if it shows the same thing already,
   * so as to show it as it is now.
   */
  async #go(path: string): Promise<void> {
    const [from, to] = [this.page.url(), `${this.#root}${path}`];
    if (!from.startsWith(this.#root) || parentOf(from) === parentOf(to)) {
      await this.page.goto(to);
      return;
    }
    const link = `Object.assign(document.createElement('a'), { href: ${JSON.stringify(to)} })`;
    await this.page.evaluate(`{ const link = ${link}; document.body.append(link); link.click(); link.remove(); }`);
    await this.page.waitForURL(to);
  }

  /** Fills in the form of "Start Workflow" and sends it. */
  async start(form: StartForm, screenshot?: string): Promise<void> {
    await this.#go('/workflows/start-workflow');
    await this.page.locator('#workflowId').fill(form.workflowId);
    await this.page.locator('#taskQueue').fill(form.taskQueue);
    await this.page.locator('#workflowType').fill(form.workflowType);
    const data = this.page.getByRole('textbox', { name: 'Data' }).first();
    await data.fill(form.input);
    // When it is left, the editor lays the JSON out anew, which moves the button away from under a click.
    await data.blur();
    await this.page.getByText('Task Queue is Active').waitFor();
    await this.page.waitForTimeout(SETTLE_MS);
    if (screenshot !== undefined) await this.screenshot(screenshot);
    await this.page.getByTestId('start-workflow-button').click();
  }

  /** Opens the page of a run. */
  async openRun(workflowId: string, runId: string, tab = 'history'): Promise<void> {
    await this.#go(`/workflows/${encodeURIComponent(workflowId)}/${runId}/${tab}`);
    await this.page.getByText(workflowId).filter({ visible: true }).first().waitFor();
  }

  async openSchedule(id: string): Promise<void> {
    await this.#go(`/schedules/${encodeURIComponent(id)}`);
    await this.page.locator('#schedule-actions-menu-button').waitFor();
  }

  /** Fills in the form of a schedule's "Backfill", in UTC, and sends it. The overlap stays the schedule's own. */
  async backfill(start: string, end: string, screenshot?: string): Promise<void> {
    await this.page.locator('#schedule-actions-menu-button').click();
    await this.page.getByRole('menuitem', { name: 'Backfill' }).click();
    await this.#fillTime('start', start);
    await this.#fillTime('end', end);
    if (screenshot !== undefined) await this.screenshot(screenshot);
    await this.page.locator('dialog[open], [role=dialog]').getByTestId('confirm-modal-button').click();
    await this.page.getByText('Schedule Backfill').waitFor({ state: 'hidden' });
  }

  async #fillTime(which: 'start' | 'end', iso: string): Promise<void> {
    const [, year, month, day, hour = '', minute = ''] = /^(\d+)-(\d+)-(\d+)T(\d+):(\d+)/.exec(iso) ?? [];
    const date = this.page.locator(`#backfill-${which}-date`);
    await date.fill(`${month}/${day}/${year}`);
    await this.page.getByRole('button', { name: 'Close', exact: true }).filter({ visible: true }).last().click();
    await this.page.locator(`#backfill-${which}-hour`).fill(hour);
    await this.page.locator(`#backfill-${which}-minute`).fill(minute);
    await this.page.locator(`#backfill-${which}-second`).fill('0');
  }

  /** Sends a signal to the run that is open, of which no worker tells what it takes. */
  async signal(name: string, input?: string): Promise<void> {
    const dialog = await this.#openAction('Send a Signal');
    await dialog.getByLabel(/Signal name/i).fill(name);
    if (input !== undefined) await dialog.getByRole('textbox', { name: 'Data' }).fill(input);
    await dialog.getByTestId('confirm-modal-button').click();
    await dialog.waitFor({ state: 'hidden' });
  }

  /** Sends a signal that the run offers, without data. Returns what the list says of it. */
  async signalOffered(name: string): Promise<string> {
    const dialog = await this.#openAction('Send a Signal');
    const said = await this.#choose(dialog, 'signal', name);
    await dialog.getByTestId('confirm-modal-button').click();
    await dialog.waitFor({ state: 'hidden' });
    return said;
  }

  /** Sends an update that the run offers, and returns what the dialog then says; the dialog stays open. */
  async update(name: string, input: string): Promise<Locator> {
    const dialog = await this.#openAction('Send an Update');
    await this.#choose(dialog, 'update', name);
    await dialog.getByRole('textbox', { name: 'Data' }).fill(input);
    await dialog.getByTestId('confirm-modal-button').click();
    return dialog;
  }

  /** Runs a query of the run that is open, on its tab. */
  async query(name: string): Promise<void> {
    await this.#choose(this.page.locator('body'), 'query', name);
    await this.page.getByRole('button', { name: 'Run Query' }).click();
  }

  /** The Markdown that the run tells of itself, as shown on the tab `user-metadata`: the summary or the current details. */
  markdown(which: 'summary' | 'current-details'): FrameLocator {
    return this.page.frameLocator(`#user-metadata-${which}`);
  }

  async #openAction(name: string): Promise<Locator> {
    await this.page.getByRole('button', { name: 'More Actions' }).click();
    await this.page.getByRole('menuitem', { name }).click();
    return this.page.locator('dialog[open], [role=dialog]').last();
  }

  async #choose(within: Locator, kind: 'signal' | 'update' | 'query', name: string): Promise<string> {
    await within.getByTestId(`${kind}-select-button`).click();
    const option = within.getByRole('option', { name: new RegExp(`^\\s*${name}\\b`) });
    const said = await option.innerText();
    await option.click();
    return said;
  }

  /** Everything that the page says. */
  text(): Promise<string> {
    return this.page.locator('body').innerText();
  }

  /** Writes what is seen into a PNG file. */
  async screenshot(path: string): Promise<void> {
    await this.page.screenshot({ path, animations: 'disabled' });
  }
}
