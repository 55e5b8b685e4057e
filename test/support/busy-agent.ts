// An agent that takes no more calls: slow callers have all of its connections.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { waitFor } from '../../lib/wait-for.ts';

/** As many as the server takes, see cni/server.ts; it drops those that are silent for some seconds. */
const MAX_CONNECTIONS = 1024;

/** The beginning of a call that is not over before 65535 bytes more: whoever sends one now and then is not dropped. */
const BEGINNING = Buffer.from('MGY1\0\0\xff\xff', 'latin1');
/** A fifth of the time after which the agent drops a caller. */
const SIGN_OF_LIFE_MS = 1000;

/** Runs `work` while every call to the agent behind `socket` is dropped. */
export async function whileBusy(socket: string, work: () => Promise<void>): Promise<void> {
  const slow: Socket[] = [];
  const timer = setInterval(() => {
    for (const each of slow) each.write('.');
  }, SIGN_OF_LIFE_MS);
  try {
    for (let n = 0; n < MAX_CONNECTIONS; n++) {
      const caller = await open(socket);
      caller.write(BEGINNING);
      slow.push(caller);
    }
    // The kernel takes connections before the agent does: one that is dropped is behind all of these.
    const last = await open(socket);
    if (!last.closed) await once(last, 'close', { signal: AbortSignal.timeout(30_000) });
    await work();
  } finally {
    clearInterval(timer);
    for (const each of slow) each.destroy();
  }
}

async function open(path: string): Promise<Socket> {
  const socket = await waitFor('a connection to the agent', () => attempt(path), { everyMs: 2, timeoutMs: 30_000 });
  // What the agent does to it is not the question here.
  socket.on('error', () => undefined);
  return socket.resume();
}

/** `undefined`: more connections wait for the agent than the kernel keeps for it. */
async function attempt(path: string): Promise<Socket | undefined> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return socket;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return undefined;
    throw error;
  }
}
