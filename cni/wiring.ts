// Connecting a pod: a veth pair between the node and the pod's network namespace. All of it or nothing: when a step
// fails, the pair is gone again before the error arrives.
import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import type { Handle } from '../ipam/handle.ts';
import type { Ip } from '../lib/ip.ts';
import { createDoomedLinks } from '../lib/linux/doomed-links.ts';
import { IF_PREFIX, type IfName } from '../lib/linux/if-name.ts';
import { KernelError } from '../lib/linux/kernel-error.ts';
import { findLink, type Link, listLinks, setLink, type VethSpec } from '../lib/linux/links.ts';
import { macFromBytes } from '../lib/linux/mac.ts';
import { isOwnNetns, openNetns } from '../lib/linux/netns.ts';
import type { Rtnl } from '../lib/linux/rtnl.ts';
import { createVethMaker } from '../lib/linux/veth-maker.ts';
import type { Log } from '../lib/log.ts';
import { createUndo } from '../lib/undo.ts';
import { CNI_CODE, CniError } from './errors.ts';
import { bringUpHostSide, checkHostSide } from './host-side.ts';
import { checkPodSide, configurePodSide, type ExpectedPodSide, familiesOf, findPodLink, HOST_MAC } from './pod-side.ts';

export type WirePod = {
  /** Whose link it is: written on the host end as its alias. */
  readonly handle: Handle;
  readonly netns: string;
  readonly ifName: IfName;
  readonly hostIfName: IfName;
  readonly ips: readonly Ip[];
  readonly mtu: number;
  /** The pod's own. Absent: any. */
  readonly mac?: string;
};

export type CheckedPod = ExpectedPodSide & {
  readonly hostIfName: IfName;
  /** Of the host end, in bytes. Absent: any. */
  readonly hostMtu?: number;
};

export type Wired = { readonly mac: string; readonly hostIfindex: number };

export type Wiring = {
  /** @throws CniError invalid namespace, interface name taken, or a step that the kernel refused */
  readonly wirePod: (pod: WirePod) => Promise<Wired>;
  /**
   * Removes the host end, and with it the pod's, if it is this handle's. It is marked at once and goes in the
   * background, `soon` with others that go; the promise resolves when it is gone.
   */
  readonly unwirePod: (pod: Pick<WirePod, 'handle' | 'hostIfName'>, when?: 'now' | 'soon') => Promise<void>;
  /** Whether the pod's namespace has the interface; false when there is no namespace. */
  readonly isWired: (pod: Pick<WirePod, 'netns' | 'ifName'>) => boolean;
  /** Host ends that carry a handle, as the kernel has them now. */
  readonly wired: () => readonly Pick<WirePod, 'handle' | 'hostIfName'>[];
  /** What differs from how `wirePod` left it, in words; empty: nothing. */
  readonly checkPod: (pod: CheckedPod) => readonly string[];
  /** Resolves when no link is being created or deleted. */
  readonly close: () => Promise<void>;
};

/** The host ends are in the network namespace of `rtnl`, which must be the process's own. */
export function createWiring(rtnl: Rtnl, log: Log): Wiring {
  const doomed = createDoomedLinks(rtnl);
  const veths = createVethMaker(rtnl);
  doomed.sweep().catch((error: unknown) => log.warn({ err: error }, 'cannot delete the links of an earlier agent'));
  // Who has a name that a new pair needs.
  const removeStale = async (pod: WirePod): Promise<void> => {
    const { hostIfName } = pod;
    // Links of which a DEL has been answered are in nobody's way.
    await doomed.sweep();
    // Asked before anything goes.
    if (findPodLink(pod) !== undefined) throw interfaceExists(pod);
    const stale = findLink(rtnl, { name: hostIfName });
    if (stale === undefined) return;
    if (!isOurs(stale)) {
      throw new CniError(
        CNI_CODE.wiring,
        `Cannot create interface "${hostIfName}": a ${stale.kind ?? 'physical'} link has this name, expected none`,
      );
    }
    await doomed.doom([stale.index]);
  };

  const createPair = async (pod: WirePod, peer: VethSpec['peer']): Promise<Link> => {
    const veth = { name: pod.hostIfName, mac: HOST_MAC, mtu: pod.mtu, peer };
    try {
      return await veths.create(veth);
    } catch (error) {
      if (!(error instanceof KernelError) || error.errno !== constants.errno.EEXIST) throw error;
      await removeStale(pod);
      return await veths.create(veth);
    }
  };

  const wire = async (pod: WirePod): Promise<Wired> => {
    const { handle, netns, ifName, hostIfName, ips, mac = randomMac() } = pod;
    const netnsFd = openNetns(netns);
    try {
      await using undo = createUndo((what, error) => log.error({ err: error, what, hostIfName }, 'cannot undo wiring'));
      const host = await createPair(pod, { name: ifName, netnsFd, mac });
      undo.push('delete the veth', () => doomed.doom([host.index]));
      if (host.peerIndex === undefined) throw new KernelError(`find the other end of "${hostIfName}"`, ENODEV);
      bringUpHostSide(rtnl, { index: host.index, name: hostIfName, families: familiesOf(ips), alias: handle });
      // Some hosts' link managers set a MAC of their own on new links.
      if (host.mac !== HOST_MAC) setLink(rtnl, host.index, { mac: HOST_MAC });
      configurePodSide(netnsFd, { ifName, ips, index: host.peerIndex });
      undo.commit();
      return { mac, hostIfindex: host.index };
    } finally {
      closeSync(netnsFd);
    }
  };

  return {
    wirePod: async (pod) => {
      try {
        if (isOwnNetns(pod.netns)) {
          throw new CniError(
            CNI_CODE.invalidNetns,
            `Cannot wire a pod into "${pod.netns}": it is the node's own network namespace, expected the pod's`,
          );
        }
        return await wire(pod);
      } catch (error) {
        throw asCniError(pod, error);
      }
    },
    unwirePod: async ({ handle, hostIfName }, when) => {
      const link = findLink(rtnl, { name: hostIfName });
      if (link === undefined || !isOurs(link)) return;
      // Another handle: a newer sandbox of the same pod. None: its ADD was killed before it could sign.
      if (link.alias !== undefined && link.alias !== handle) return;
      await doomed.doom([link.index], when);
    },
    isWired: (pod) => {
      try {
        return findPodLink(pod) !== undefined;
      } catch (error) {
        if (error instanceof KernelError) return false;
        throw error;
      }
    },
    wired: () =>
      listLinks(rtnl)
        .filter(isOurs)
        // What carries our prefix was named by us, and an alias there is a handle.
        .flatMap(({ name, alias }) =>
          alias === undefined ? [] : [{ handle: alias as Handle, hostIfName: name as IfName }],
        ),
    checkPod: (pod) => {
      try {
        const { link, differences } = checkPodSide(pod);
        const { hostIfName: name, hostMtu: mtu, ips } = pod;
        const host = { name, families: familiesOf(ips), podLink: link, ...(mtu === undefined ? {} : { mtu }) };
        return [...differences, ...checkHostSide(rtnl, host)];
      } catch (error) {
        if (error instanceof KernelError) return [error.message];
        throw error;
      }
    },
    close: async () => {
      await veths.close();
      await doomed.close();
    },
  };
}

const { ENODEV } = constants.errno;

/** Of nobody's range: locally administered and not of a group (IEEE 802). */
function randomMac(): string {
  if (random.length < MAC_BYTES) random = randomBytes(RANDOM_BYTES);
  const bytes = random.subarray(0, MAC_BYTES);
  random = random.subarray(MAC_BYTES);
  return macFromBytes(bytes.with(0, ((bytes[0] ?? 0) & 0xfc) | 0x02));
}

// Asking for six bytes takes as long as asking for many.
let random = Buffer.alloc(0);
const MAC_BYTES = 6;
const RANDOM_BYTES = 64 * MAC_BYTES;

const isOurs = ({ name, kind }: Link): boolean => name.startsWith(IF_PREFIX) && kind === 'veth';

const interfaceExists = ({ ifName, netns }: WirePod): CniError =>
  new CniError(
    CNI_CODE.alreadyAttached,
    `Cannot create interface "${ifName}" in "${netns}": it exists, expected none of this name`,
    'Use another CNI_IFNAME, or call DEL for this container first',
  );

function asCniError(pod: WirePod, error: unknown): unknown {
  if (!(error instanceof KernelError)) return error;
  // The name on the node was free a moment ago, so it is the pod's that is taken.
  if (error.errno === constants.errno.EEXIST && error.op.startsWith('create veth')) return interfaceExists(pod);
  if (error.op.includes('network namespace')) {
    return new CniError(CNI_CODE.invalidNetns, error.message, 'CNI_NETNS must be the path of a network namespace');
  }
  return new CniError(CNI_CODE.wiring, `Cannot wire pod "${pod.hostIfName}": ${error.message}`);
}
