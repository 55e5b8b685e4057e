// Waiting for an endpoint to be in force: CNI ADD answers only when the pod's rules and routes are in the kernel, and
// DEL when they are gone.
import type { Attachment } from '../cni/attachment.ts';

/** How long an ADD or DEL waits for the kernel, in milliseconds; the runtime's own limit is far above. */
export const APPLY_TIMEOUT_MS = 20_000;

type Waiter = { readonly attachment: Attachment; readonly settle: (failure: string | undefined) => void };

export type EndpointWaiters = {
  /** Resolves when the next complete pass of the effects has this endpoint in place. @throws Error with the reason */
  readonly wait: (attachment: Attachment) => Promise<void>;
  /** The waiters that a pass beginning now will serve. */
  readonly take: () => readonly Waiter[];
};

export function createEndpointWaiters(whyNotYet: () => string): EndpointWaiters {
  let waiting = new Set<Waiter>();
  return {
    wait: (attachment) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          settle(`not in the kernel within ${APPLY_TIMEOUT_MS} ms: ${whyNotYet()}`);
        }, APPLY_TIMEOUT_MS);
        const settle = (failure: string | undefined): void => {
          clearTimeout(timer);
          waiting.delete(waiter);
          if (failure === undefined) resolve();
          else reject(new Error(`Cannot apply endpoint "${attachment.namespace}/${attachment.pod}": ${failure}`));
        };
        const waiter: Waiter = { attachment, settle };
        waiting.add(waiter);
      }),
    take: () => {
      const taken = [...waiting];
      waiting = new Set();
      return taken;
    },
  };
}
