// The lab's end of a pod's control socket.
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { Numbered, Outcome, Question, Reply, Target } from './protocol.ts';

export type PodClient = {
  /** @throws Error when the pod's process is gone */
  readonly probe: (target: Target, timeoutMs: number) => Promise<Outcome>;
  /** Resolves once the probes run; `flipped` then tells since when the state is the wanted one, by `process.hrtime`. */
  readonly watch: (
    target: Target,
    until: 'allow' | 'deny',
    timing: { readonly everyMs: number; readonly timeoutMs: number },
  ) => Promise<{ readonly flipped: Promise<bigint | undefined> }>;
  readonly close: () => void;
};

/** @throws Error when nothing listens on the socket */
export async function connectPod(socketPath: string): Promise<PodClient> {
  const socket = connect(socketPath);
  await once(socket, 'connect');
  const listeners = new Map<number, { readonly on: (reply: Reply) => void; readonly fail: (error: Error) => void }>();
  let next = 1;
  createInterface(socket).on('line', (line) => {
    const { id, body } = JSON.parse(line) as Numbered<Reply>;
    listeners.get(id)?.on(body);
  });
  socket.on('error', () => {}); // `close` follows.
  socket.on('close', () => {
    for (const { fail } of listeners.values()) fail(new Error(`Cannot ask the pod at "${socketPath}": it is gone`));
    listeners.clear();
  });
  /** Resolves with the reply whose kind is `last`; earlier ones go to `also`. */
  const ask = <K extends Reply['kind']>(body: Question, last: K, also: (reply: Reply) => void = () => {}) =>
    new Promise<Extract<Reply, { kind: K }>>((resolve, reject) => {
      const id = next++;
      const on = (reply: Reply): void => {
        if (isKind(reply, last)) {
          listeners.delete(id);
          resolve(reply);
        } else also(reply);
      };
      listeners.set(id, { on, fail: reject });
      socket.write(`${JSON.stringify({ id, body })}\n`);
    });
  return {
    probe: async (target, timeoutMs) => (await ask({ kind: 'probe', target, timeoutMs }, 'probe')).outcome,
    watch: async (target, until, timing) => {
      const armed = Promise.withResolvers<void>();
      const reply = ask({ kind: 'watch', target, until, ...timing }, 'flipped', () => armed.resolve());
      await Promise.race([armed.promise, reply]);
      return { flipped: reply.then(({ atNs }) => (atNs === undefined ? undefined : BigInt(atNs))) };
    },
    close: () => socket.destroy(),
  };
}

const isKind = <K extends Reply['kind']>(reply: Reply, kind: K): reply is Extract<Reply, { kind: K }> =>
  reply.kind === kind;
