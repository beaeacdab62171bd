/** Differences between the kinds of stores that are asked in S3's protocol. */
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';

/** Options by the names that PyIceberg gives them, for example `s3.endpoint`. Secrets among them never appear in messages. */
export type StorageOptions = Readonly<Record<string, string>>;

export interface StoreDialect {
  /** The settings of the client. @throws MoraineError `CONFIG_INVALID` naming the option */
  clientConfig(options: StorageOptions): S3ClientConfig;
  /** @throws MoraineError `CONFIG_INVALID` where the options have no credentials, and the environment cannot */
  requireAccess(options: StorageOptions): void;
  /** How a client signs with credentials of a catalog. @param held gives the store's options with those that are held now */
  grantedAccess(held: () => Promise<StorageOptions>): Pick<S3ClientConfig, 'credentials' | 'signer'>;
  /** Adds to a client what its settings cannot say. */
  adapt(client: S3Client, options: StorageOptions): void;
  /** How long the store may be silent, in milliseconds. */
  requestTimeoutMs(options: StorageOptions): number;
  /**
   * Tells a store with its credentials from others, among the files that processes of one user share: whoever has other credentials must not
   * read what these could. Nothing of it is a secret.
   */
  scopeOf(options: StorageOptions): string;
  /** Whether the end of an upload in parts may ask that nothing is there; else a copy asks. */
  readonly completesConditionally: boolean;
}
