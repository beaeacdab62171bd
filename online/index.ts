/** Online tables: layout, creation and evolution, reading the newest row per entity. */

export { ensureOnlineTable, type OnlineTable } from './ensure-online-table.js';
export { type EntityKeyPart, encodeEntityKey, entityKeySql } from './entity-key.js';
export {
  DEFAULT_ONLINE_SETTINGS,
  type KeyStrategy,
  ONLINE_COLUMNS,
  type OnlineLayout,
  type OnlineSettings,
  onlineLayout,
  partitioningText,
} from './online-layout.js';
