// An agent that takes no more calls: silent callers have all of its connections.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { waitFor } from '../../lib/wait-for.ts';

/** As many as the server takes, see cni/server.ts; it drops silent ones after some seconds. */
const MAX_CONNECTIONS = 1024;

/** Runs `work` while every call to the agent behind `socket` is dropped. */
export async function whileBusy(socket: string, work: () => Promise<void>): Promise<void> {
  const silent: Socket[] = [];
  try {
    for (let n = 0; n < MAX_CONNECTIONS; n++) silent.push(await open(socket));
    // The kernel takes connections before the agent does: one that is dropped is behind all of these.
    const last = await open(socket);
    if (!last.closed) await once(last, 'close', { signal: AbortSignal.timeout(30_000) });
    await work();
  } finally {
    for (const each of silent) each.destroy();
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
