/** Files that are written at some places and have holes elsewhere. */
import { type FileHandle, open } from 'node:fs/promises';

/** Pieces that come from the network are small: so many bytes are written at a time. */
const WRITE_BYTES = 2 ** 20;

/** Makes a file of holes and fills it. */
export async function writeSparse(
  path: string,
  sizeBytes: number,
  fill: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.truncate(sizeBytes);
    await fill(handle);
  } finally {
    await handle.close();
  }
}

export async function write(handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
  }
}

/** Writes pieces one behind the other as they come. */
export async function writePieces(
  handle: FileHandle,
  pieces: AsyncIterable<Uint8Array>,
  offset: number,
): Promise<void> {
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let place = offset;
  const flush = async (): Promise<void> => {
    const { bytesWritten } = await handle.writev(waiting, place);
    // A disk that is nearly full takes some of it: the rest says why.
    if (bytesWritten < waitingBytes) {
      await write(handle, Buffer.concat(waiting).subarray(bytesWritten), place + bytesWritten);
    }
    place += waitingBytes;
    [waiting, waitingBytes] = [[], 0];
  };
  for await (const piece of pieces) {
    waiting.push(piece);
    waitingBytes += piece.length;
    if (waitingBytes >= WRITE_BYTES) await flush();
  }
  if (waitingBytes > 0) await flush();
}
