// The side of the agent that CNI talks to: an endpoint goes into the model ahead of the datastore's watch, and the
// answer comes when the kernel has it. Before an address is used again, no flow of the pod that had it is left.
import type { Endpoints } from '../cni/attachment.ts';
import type { EndpointWaiters } from './endpoint-waiters.ts';
import type { Event } from './model/events.ts';
import type { Revoker } from './revoker.ts';

export function createCniEndpoints(options: {
  readonly dispatch: (event: Event) => void;
  readonly waiters: EndpointWaiters;
  readonly revoker: Pick<Revoker, 'clean' | 'addressesGone'>;
  readonly check: Endpoints['check'];
}): Endpoints {
  const { dispatch, waiters, revoker, check } = options;
  return {
    attach: async (attachment) => {
      await revoker.clean(attachment.ips);
      const applied = waiters.wait(attachment);
      dispatch({ kind: 'attached', attachment });
      await applied;
    },
    detach: async (attachment) => {
      const applied = waiters.wait(attachment);
      dispatch({ kind: 'detached', attachment });
      await applied;
      revoker.addressesGone(attachment.ips);
    },
    check,
  };
}
