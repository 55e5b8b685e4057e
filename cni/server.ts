// The agent's socket for the CNI executable: one frame per connection, one answer. Only root gets at it: the socket has
// mode 0600 and a folder that is made here has 0700.
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Log } from '../lib/log.ts';
import { CNI_CODE, CniError, printError } from './errors.ts';
import { type CniAnswer, decodeFrame, encodeAnswer } from './frame.ts';
import type { CniHandler } from './handler.ts';

export type CniServer = {
  /** Takes no new calls and resolves when the running ones have been answered. */
  readonly close: () => Promise<void>;
};

/** A caller that neither sends nor reads for so long is dropped, in milliseconds. */
const FRAME_TIMEOUT_MS = 5_000;
const MAX_CONNECTIONS = 1024;
/** Why a call is given up. Without a reason, each call would make an error with a stack of its own. */
const GONE = 'the caller is gone';

/** @throws Error when another process answers on the socket, or the path cannot be used */
export async function serveCni(socketPath: string, handle: CniHandler, log: Log): Promise<CniServer> {
  mkdirSync(dirname(socketPath), { recursive: true, mode: 0o700 });
  if (await answers(socketPath)) {
    throw new Error(`Cannot listen on "${socketPath}": another agent answers there, expected one agent per node`);
  }
  // What a killed agent left; connecting to it is refused until it is replaced.
  rmSync(socketPath, { force: true });
  const server = createServer((socket) => serve(socket, handle, log));
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // The socket is made inside this call, and nobody else must connect before the mode is set.
    const mask = process.umask(0o177);
    server.listen(socketPath, resolve);
    process.umask(mask);
  });
  chmodSync(socketPath, 0o600);
  server.on('error', (error) => log.error({ err: error, socketPath }, 'CNI socket failed'));
  return { close: () => new Promise((resolve) => server.close(() => resolve())) };
}

function serve(socket: Socket, handle: CniHandler, log: Log): void {
  const gone = new AbortController();
  let chunks: Buffer[] = [];
  let size = 0;
  // Whoever sends single bytes does not have them all read again with each.
  let atLeast = 0;
  let started = false;
  const answer = (given: CniAnswer): void => {
    // A caller that does not read, or never closes its side, is not waited for.
    socket.setTimeout(FRAME_TIMEOUT_MS);
    socket.end(encodeAnswer(given), () => socket.destroy());
  };
  socket.setTimeout(FRAME_TIMEOUT_MS, () => socket.destroy());
  socket.on('error', (error) => log.debug({ err: error }, 'CNI connection failed'));
  // The executable never ends its side while it waits.
  socket.on('end', () => gone.abort(GONE));
  socket.on('close', () => gone.abort(GONE));
  socket.on('data', (chunk: Buffer) => {
    if (started) return socket.destroy();
    chunks.push(chunk);
    size += chunk.length;
    if (size < atLeast) return undefined;
    const bytes = Buffer.concat(chunks);
    chunks = [bytes];
    const decoded = decodeFrame(bytes);
    switch (decoded.kind) {
      case 'incomplete':
        atLeast = decoded.atLeast;
        return undefined;
      case 'invalid': {
        const error = new CniError(CNI_CODE.io, `Cannot read the request: ${decoded.why}`);
        started = true;
        return answer({ exitCode: 1, stdout: printError(error, '1.1.0') });
      }
      case 'frame':
        started = true;
        chunks = [];
        socket.setTimeout(0);
        handle(decoded.frame, gone.signal).then(answer, (error: unknown) => {
          log.error({ err: error }, 'CNI handler failed');
          socket.destroy();
        });
        return undefined;
      default:
        return decoded satisfies never;
    }
  });
}

const answers = (socketPath: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = connect(socketPath);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
