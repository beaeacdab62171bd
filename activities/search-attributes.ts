import type { ConnectionLike, OperatorService } from '@temporalio/client';

/** The search attributes of our runs, of type Keyword. */
export const SEARCH_ATTRIBUTES = ['MoraineView', 'MoraineTable'] as const;

/** `INDEXED_VALUE_TYPE_KEYWORD` of Temporal's API. */
const KEYWORD = 2;

/** A connection that can also administer; those of clients and of workers both can. */
interface AdministeringConnection {
  readonly operatorService: Pick<OperatorService, 'listSearchAttributes' | 'addSearchAttributes'>;
}

function canAdminister(connection: object): connection is AdministeringConnection {
  return 'operatorService' in connection;
}

/** Whether the namespace has all of our search attributes, so that a run may set them. */
export async function hasSearchAttributes(connection: ConnectionLike, namespace: string): Promise<boolean> {
  try {
    return canAdminister(connection) && (await lookUp(connection, namespace)).absent.length === 0;
  } catch {
    return false; // not permitted to ask: a run that sets none always works
  }
}

/**
 * Registers our search attributes where that is permitted. Returns whether runs may set them; if not, `warn` is told
 * why, once.
 */
export async function ensureSearchAttributes(
  connection: AdministeringConnection,
  namespace: string,
  warn: (message: string) => void,
): Promise<boolean> {
  try {
    const { absent, ofOtherType } = await lookUp(connection, namespace);
    if (absent.length === 0) return true;
    // The server would take the request and leave the attribute as it is.
    if (ofOtherType.length > 0) throw new Error(`${ofOtherType.join(', ')} already exists with another type`);
    const searchAttributes = Object.fromEntries(absent.map((name) => [name, KEYWORD]));
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
    return true;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    warn(`the search attributes ${SEARCH_ATTRIBUTES.join(', ')} could not be registered, runs go without: ${reason}`);
    return false;
  }
}

/** Ours that the namespace lacks; among them those whose name is taken by an attribute of another type. */
async function lookUp(
  connection: AdministeringConnection,
  namespace: string,
): Promise<{ readonly absent: readonly string[]; readonly ofOtherType: readonly string[] }> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const present = new Map<string, number>(Object.entries(customAttributes ?? {}));
  const absent = SEARCH_ATTRIBUTES.filter((name) => present.get(name) !== KEYWORD);
  return { absent, ofOtherType: absent.filter((name) => present.has(name)) };
}
