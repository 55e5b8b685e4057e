// Whether calls did what they answered: outside the timed parts, and for both sides.
import { execFileSync } from 'node:child_process';
import { POLICY_TABLE } from '../../../felix/render/policy/names.ts';
import { listLinks } from '../../../lib/linux/links.ts';
import { inNetns } from '../../../lib/linux/netns.ts';
import { dumpRoutes } from '../../../lib/linux/routes.ts';
import { openRtnl } from '../../../lib/linux/rtnl.ts';
import { openNftables } from '../../../lib/nftables/nfnetlink.ts';
import { waitFor } from '../../../lib/wait-for.ts';
import type { CniWorld, Side } from './world.ts';

/** @throws Error when a pod has no route, when the first and the last do not answer, or when rules are missing. */
export function checkAttached(world: CniWorld): void {
  for (const side of [world.ours, world.other]) {
    const ips = Array.from({ length: world.pods }, (_, pod) => side.ipOf(pod));
    if (new Set(ips).size !== ips.length) throw new Error(`Cannot trust ${side.name}: an address was given twice`);
    const routed = hostRoutes(side);
    const missing = ips.filter((ip) => !routed.has(ip));
    if (missing.length > 0) throw new Error(`Cannot trust ${side.name}: no route to ${missing.join(', ')}`);
    for (const ip of [ips[0], ips.at(-1)]) ping(side, ip ?? '');
  }
}

/** @throws Error unless the rules in the kernel name the pod's address. For our side, right after an ADD. */
export function checkPolicy({ ours }: CniWorld, pod: number): void {
  const nft = inNetns(ours.netns.path, openNftables);
  try {
    const objects = [...(nft.dump(POLICY_TABLE.name)?.objects.values() ?? [])];
    const named = objects
      .filter(({ kind }) => kind === 'element')
      .some((each) => JSON.stringify(each).includes(ours.ipOf(pod)));
    if (!named) throw new Error(`Cannot trust ours: the rules do not know pod ${pod}, expected them before the answer`);
  } finally {
    nft.close();
  }
}

/** Waits until both nodes are as they were without pods. */
export async function settled(world: CniWorld): Promise<void> {
  for (const side of [world.ours, world.other]) {
    await waitFor(`the pods' routes of ${side.name} to be gone`, () => hostRoutes(side).size === 0);
    await waitFor(`the pods' links of ${side.name} to be gone`, () => podLinks(side) === 0);
  }
}

/** The host ends of pods. Not by /sys, which shows the links of the namespace that mounted it. */
function podLinks({ netns }: Side): number {
  const rtnl = inNetns(netns.path, openRtnl);
  try {
    return listLinks(rtnl).filter(({ name }) => /^(mgy|veth)/.test(name)).length;
  } finally {
    rtnl.close();
  }
}

/** Addresses with a route of their own. */
function hostRoutes({ netns }: Side): ReadonlySet<string> {
  const rtnl = inNetns(netns.path, openRtnl);
  try {
    const routes = dumpRoutes(rtnl, { family: 4 }).filter(({ dst, type }) => type === 'unicast' && dst.endsWith('/32'));
    return new Set(routes.map(({ dst }) => dst.slice(0, -'/32'.length)));
  } finally {
    rtnl.close();
  }
}

const ping = ({ netns }: Side, ip: string): void => {
  execFileSync('nsenter', [`--net=${netns.path}`, 'ping', '-q', '-c', '1', '-W', '5', ip], { stdio: 'ignore' });
};
