/** The text of an answer of an HTTP server, which might never end. */

/**
 * @param tooLarge makes the error of an answer that has more bytes; the rest of it is not read
 */
export async function boundedText(
  response: Response,
  maxBytes: number,
  tooLarge: (message: string) => Error,
): Promise<string> {
  if (response.body === null) return '';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge(`its answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
