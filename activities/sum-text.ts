/** Sums of row hashes as they travel: 64 hex digits. */

export const sumToHex = (sum: bigint): string => sum.toString(16).padStart(64, '0');

export const sumFromHex = (hex: string): bigint => BigInt(`0x${hex}`);
