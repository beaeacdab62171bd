/** The table format, named as the specification names it. Pure: values in, values out. */
export type * from './types.js';
export type * from './partition-spec.js';
export type * from './sort-order.js';
export type * from './data-file.js';
export type * from './metadata.js';
export type * from './update.js';
