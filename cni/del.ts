// DEL and GC. Both succeed for what is not there. The pod's addresses are out of the rules, and its routes gone, before the
// answer; the links go after it: they are marked and deleted in the background.
import { type Handle, partsOf } from '../ipam/handle.ts';
import { hostIfName } from '../lib/linux/if-name.ts';
import { attachmentOf } from './attachment.ts';
import { CNI_CODE, CniError } from './errors.ts';
import type { CniDeps } from './handler.ts';
import type { KeyedLock } from './keyed-lock.ts';
import type { CniRequest, PodName } from './spec.ts';
import type { Turns } from './turns.ts';

/** The container's own lock is held. @throws CniError when the kernel keeps rules or routes: the runtime comes again */
export async function del(
  { ipam, wiring, endpoints, log }: CniDeps,
  lock: KeyedLock,
  { handle, podName }: { readonly handle: Handle; readonly podName?: PodName },
): Promise<void> {
  const before = ipam.find(handle);
  const hostName = before?.hostIfName ?? (podName && hostIfName(podName.namespace, podName.pod));
  // Neither written down nor named: there is nothing that could be found.
  if (hostName === undefined) return;
  using _name = await lock(`name ${hostName}`);
  if (before !== undefined) {
    try {
      await endpoints.detach(attachmentOf(before));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const { namespace, pod } = before;
      throw new CniError(CNI_CODE.notApplied, `Cannot detach pod "${namespace}/${pod}": rules or routes are left`, why);
    }
  }
  wiring.unwirePod({ handle, hostIfName: hostName }, 'soon').catch((error: unknown) => {
    log.warn({ err: error, hostIfName: hostName }, 'cannot delete the link of a pod that is gone');
  });
  ipam.release(handle);
}

/** Removes every attachment of the network that the runtime does not list. @throws CniError naming all that failed */
export async function collectGarbage(
  deps: CniDeps,
  { lock, turn }: { readonly lock: KeyedLock; readonly turn: Turns },
  { network, valid }: Extract<CniRequest, { kind: 'gc' }>,
): Promise<void> {
  const failures: string[] = [];
  const isStale = ({ handle }: { readonly handle: Handle }): boolean =>
    !valid.has(handle) && partsOf(handle).network === network;
  const attempt = async (handle: Handle, effect: () => Promise<void>): Promise<void> => {
    try {
      using _container = await lock(`container ${handle}`);
      await turn();
      await effect();
    } catch (error) {
      failures.push(error instanceof CniError ? `${error.message}: ${error.details}` : String(error));
    }
  };
  for (const { handle } of deps.ipam.assignments().filter(isStale)) {
    await attempt(handle, () => del(deps, lock, { handle }));
  }
  // Links whose assignment the journal has lost; the link of one that could not be detached stays with its rules.
  const isLost = (link: { readonly handle: Handle }): boolean =>
    isStale(link) && deps.ipam.find(link.handle) === undefined;
  for (const link of deps.wiring.wired().filter(isLost)) {
    await attempt(link.handle, async () => {
      // An ADD of this pod may be about to sign its link; one of this container may have come since the look.
      using _name = await lock(`name ${link.hostIfName}`);
      if (isLost(link)) await deps.wiring.unwirePod(link);
    });
  }
  if (failures.length === 0) return;
  throw new CniError(CNI_CODE.notApplied, `Cannot remove ${failures.length} stale attachments`, failures.join('; '));
}
