/** Something that an import could not carry over unchanged. */

/** The fate of a thing: it is not in the new files, or it is there and means something else than it did. */
export type FindingOutcome = 'left-out' | 'changed';

/** One thing of the Feast repository that has no counterpart, or another one. */
export interface Finding {
  readonly outcome: FindingOutcome;
  /** In Feast's words: `feature view`, `push source`, `online_store option` and so on. */
  readonly kind: string;
  readonly name: string;
  /** Why it is not carried over as it was. */
  readonly reason: string;
  /** The reader's remedy. */
  readonly remedy: string;
}

/** Why something cannot be carried over, and what to do: a finding whose thing is not named yet. */
export type Obstacle = Pick<Finding, 'reason' | 'remedy'>;

/** Collects findings in the order in which they are met. */
export class Findings {
  readonly #list: Finding[] = [];

  leftOut(kind: string, name: string, { reason, remedy }: Obstacle): void {
    this.#list.push({ outcome: 'left-out', kind, name, reason, remedy });
  }

  changed(kind: string, name: string, { reason, remedy }: Obstacle): void {
    this.#list.push({ outcome: 'changed', kind, name, reason, remedy });
  }

  get list(): readonly Finding[] {
    return this.#list;
  }
}
