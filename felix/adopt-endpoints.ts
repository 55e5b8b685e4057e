// After the journal was lost: writes down the pods that the kernel has, so that they keep routes and policy, and keeps
// back the addresses of those that nobody can name.
import type { Store } from '../datastore/store.ts';
import type { Handle } from '../ipam/handle.ts';
import type { Ipam } from '../ipam/ipam.ts';
import { cidrAddress } from '../lib/cidr.ts';
import { isDoomedGroup } from '../lib/linux/doomed-links.ts';
import { IF_PREFIX } from '../lib/linux/if-name.ts';
import { listLinks } from '../lib/linux/links.ts';
import type { Rtnl } from '../lib/linux/rtnl.ts';
import type { Log } from '../lib/log.ts';
import { type FoundLink, planAdoption } from './adopt-lost.ts';
import type { RouteDriver } from './driver/routes.ts';

/** Does nothing when the journal knows every link of ours. @throws KernelError, StoreError, JournalError */
export async function adoptLostEndpoints(parts: {
  readonly node: string;
  readonly store: Pick<Store, 'list'>;
  readonly ipam: Pick<Ipam, 'assignments' | 'adopt' | 'keepOut'>;
  readonly rtnl: Rtnl;
  readonly routes: Pick<RouteDriver, 'read'>;
  readonly log: Log;
}): Promise<void> {
  const { node, store, ipam, rtnl, routes, log } = parts;
  const known = new Set<Handle>(ipam.assignments().map(({ handle }) => handle));
  const links = findHostEnds(rtnl, routes);
  if (links.every(({ alias }) => known.has((alias ?? '') as Handle))) return;
  const { items: pods } = await store.list('Pod');
  const plan = planAdoption({ node, links, pods, known });
  // First of all: an adoption that fails must not set addresses free either.
  ipam.keepOut([...plan.unidentified, ...plan.adopt].flatMap(({ ips }) => ips));
  for (const found of plan.adopt) {
    const { handle, namespace, pod, ips, state } = found;
    if (ipam.adopt(found) !== undefined)
      log.warn({ handle, namespace, pod, ips, state }, 'took up a pod of a lost journal');
    else log.error({ handle, namespace, pod, ips }, 'cannot take up a pod: its address is in use');
  }
  for (const { name, ips, why } of plan.unidentified) {
    log.error({ link: name, ips, why }, 'a link of ours belongs to no known pod; its addresses are kept back');
  }
}

/** Host ends of ours that are not being deleted, with the addresses that the kernel routes to them. @throws KernelError */
export function findHostEnds(rtnl: Rtnl, routes: Pick<RouteDriver, 'read'>): readonly FoundLink[] {
  const endpointRoutes = [...routes.read().values()].filter(({ type, oif }) => type === 'unicast' && oif !== undefined);
  return listLinks(rtnl)
    .filter(({ name, kind, group }) => name.startsWith(IF_PREFIX) && kind === 'veth' && !isDoomedGroup(group))
    .map(({ name, alias, index }) => ({
      name,
      alias,
      ips: endpointRoutes.filter(({ oif }) => oif === index).map(({ dst }) => cidrAddress(dst)),
    }));
}
