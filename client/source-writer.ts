/** Pushes of many clients to source tables: those to one table that arrive within a short time are one commit. */
import type { Engine } from '../engine/index.js';
import {
  doShared,
  GroupCommits,
  notePart,
  type Outcome,
  type RequestSize,
  type WriterListener,
} from '../online/index.js';
import { appendPushes, areAlike, type PushedTable, type SourcePush } from './push-append.js';

/** One per process is enough. */
export class SourceWriter {
  readonly #groups: GroupCommits<SourcePush, PushedTable>;

  /** @param groupCommitMs milliseconds that the first push of a group waits for others */
  constructor(engine: Engine, groupCommitMs: number, { grouped }: Pick<WriterListener, 'grouped'>) {
    this.#groups = new GroupCommits(groupCommitMs, {
      isAlike: areAlike,
      commit: async (_, pushes) => {
        const names = pushes.slice(0, 1).map(({ target }) => target.name);
        const attributes = { 'moraine.table': names.join(), 'moraine.group.writes': pushes.length };
        const outcomes = await doShared({ name: 'group commit', attributes, parts: pushes }, () =>
          appendPushes(engine, pushes),
        );
        grouped(pushes.length, outcomeOf(outcomes));
        return { outcomes };
      },
    });
  }

  /**
   * Appends the rows of a push, with those of others, and waits for the commit.
   * @throws as `appendPushed`
   */
  async append(push: SourcePush, size: RequestSize): Promise<PushedTable> {
    notePart(push);
    return await this.#groups.add(push.target.table.metadata.tableUuid, push, size);
  }

  /** Waits until nothing is under way any more. */
  async idle(): Promise<void> {
    await this.#groups.idle();
  }
}

function outcomeOf(outcomes: readonly Outcome<PushedTable>[]): Parameters<WriterListener['grouped']>[1] {
  const results = outcomes.flatMap((outcome) => ('result' in outcome ? [outcome.result.outcome] : []));
  if (results.includes('committed')) return 'committed';
  return results.length > 0 ? 'nothing' : 'failed';
}
