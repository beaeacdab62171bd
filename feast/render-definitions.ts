/** The text of `features.yaml`. */
import { Document, isMap, isSeq, visit } from 'yaml';
import type { ImportedDefinitions } from './import-definitions.js';

/** Keys whose maps and lists fit on a line each. */
const INLINE = new Set(['source', 'entities', 'joinKeys', 'tags']);

/** Definitions as YAML, features and references one on a line. */
export function renderDefinitions(definitions: ImportedDefinitions, project: string): string {
  const document = new Document(definitions);
  visit(document, {
    Pair(_, pair, ancestors) {
      const key = String(pair.key);
      // The lists of the document itself stay as blocks.
      if (ancestors.length <= 2 || !(isMap(pair.value) || isSeq(pair.value))) return;
      if (INLINE.has(key)) pair.value.flow = true;
      else if (key === 'features' && isSeq(pair.value)) {
        for (const item of pair.value.items) if (isMap(item)) item.flow = true;
      }
    },
  });
  document.commentBefore = ` Imported from the Feast project ${JSON.stringify(project)} by \`moraine import feast\`. \`moraine apply\` registers it.`;
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}
