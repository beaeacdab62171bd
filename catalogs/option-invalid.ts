/** Options of catalogs that are not usable. */
import { MoraineError } from '../errors/index.js';

/** The error of an option that is not usable. */
export function optionInvalid(name: string, rule: string): MoraineError {
  return new MoraineError('CONFIG_INVALID', `The catalog option ${name} ${rule}.`, { details: { option: name } });
}
