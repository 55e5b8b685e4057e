// Standard input as a whole, whoever has made it non-blocking: a package that looks at `process.stdin` does, and then a
// read before the writer has written fails with EAGAIN.
import { readSync } from 'node:fs';

const PAUSE_MS = 10;

/** Waits for the writer to close it. */
export function readStdin(): string {
  const chunks: Buffer[] = [];
  const chunk = Buffer.alloc(1 << 16);
  for (;;) {
    const length = readSome(chunk);
    if (length === 0) return Buffer.concat(chunks).toString('utf8');
    if (length === undefined) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    else chunks.push(Buffer.from(chunk.subarray(0, length)));
  }
}

/** `undefined`: nothing yet. */
function readSome(chunk: Buffer): number | undefined {
  try {
    return readSync(0, chunk);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return undefined;
    throw error;
  }
}
