/** The numbers from 0 to below a count: ids, as most tests number their records. */
export const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);
