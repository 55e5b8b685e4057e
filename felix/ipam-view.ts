// The addresses of this node for people who ask: journal and kernel side by side, and the release of what leaked.
import { existsSync } from 'node:fs';
import { type Attachment, attachmentOf } from '../cni/attachment.ts';
import type { Handle } from '../ipam/handle.ts';
import type { Ipam } from '../ipam/ipam.ts';
import type { IpamView } from '../ipam/view.ts';
import type { Rtnl } from '../lib/linux/rtnl.ts';
import { err, ok, type Result } from '../lib/result.ts';
import { findHostEnds } from './adopt-endpoints.ts';
import type { AgentIpam } from './agent-ipam.ts';
import type { RouteDriver } from './driver/routes.ts';

type Parts = {
  readonly node: string;
  readonly ipam: Pick<
    Ipam,
    'assignments' | 'blocks' | 'blockUse' | 'find' | 'keptOut' | 'release' | 'resting' | 'stranded'
  >;
  readonly rtnl: Rtnl;
  readonly routes: Pick<RouteDriver, 'read'>;
};

/** The document of `GET /v1/ipam`. @throws KernelError */
export function ipamView({ node, ipam, rtnl, routes }: Parts): IpamView {
  return {
    node,
    blocks: ipam.blocks().map(({ cidr, pool }) => {
      const { size = 0, used = 0, cooling = 0 } = ipam.blockUse(cidr) ?? {};
      return { cidr, pool, size, used, cooling };
    }),
    assignments: ipam
      .assignments()
      .map((assignment) => ({ assignment, netnsExists: assignment.netns !== '' && existsSync(assignment.netns) })),
    links: findHostEnds(rtnl, routes).map(({ name, alias, ips }) => ({
      name,
      ...(alias === undefined ? {} : { handle: alias }),
      ips: [...ips],
    })),
    keptOut: [...ipam.keptOut()],
    stranded: [...ipam.stranded()],
    resting: [...ipam.resting()],
  };
}

type HostEnd = ReturnType<typeof findHostEnds>[number];

/** An ADD that began so long ago is over, in milliseconds. */
const GRACE_MS = 60_000;

/**
 * Releases an assignment that has no link any more; the answer is the addresses that are free now. An assignment that
 * is another one by now, has a link, or is so young that its ADD may be under way, is left alone.
 */
export async function releaseLeak(
  parts: Parts & {
    readonly ipam: Pick<AgentIpam, 'ageMs'>;
    readonly detach: (attachment: Attachment) => Promise<void>;
    /** By the wall clock, for assignments of an earlier process: no ADD of that one is under way. */
    readonly nowMs: number;
  },
  asked: { readonly handle: string; readonly sequence: number },
): Promise<Result<object>> {
  const { ipam, rtnl, routes, detach, nowMs } = parts;
  const refuse = (why: string): Result<object> => err(`Cannot release "${asked.handle}": ${why}`);
  const isLeak = (): string | undefined => {
    const found = ipam.find(asked.handle as Handle);
    if (found === undefined) return 'it is not assigned, expected a leaked assignment';
    if (found.sequence !== asked.sequence) {
      return `its sequence is ${found.sequence}, expected ${asked.sequence}: somebody has it anew`;
    }
    const ageMs = ipam.ageMs(found.handle) ?? nowMs - Date.parse(found.assignedAt);
    // Before it began: the wall clock was set back, and tells nothing for as long as it was ahead.
    if (ageMs >= 0 && ageMs < GRACE_MS) return `it is younger than ${GRACE_MS / 1000} s, try again later`;
    // One that lost its signature is still somebody's, by its addresses.
    const isIts = ({ alias, ips }: HostEnd): boolean =>
      alias === found.handle || ips.some((ip) => found.ips.includes(ip));
    const link = findHostEnds(rtnl, routes).find(isIts);
    return link === undefined ? undefined : `link "${link.name}" is there, expected none`;
  };
  const refusal = isLeak();
  const found = ipam.find(asked.handle as Handle);
  if (refusal !== undefined || found === undefined) return refuse(refusal ?? 'it is not assigned');
  // Begins in the same turn of the event loop as the look: no ADD comes between.
  await detach(attachmentOf(found));
  return ok({ released: ipam.release(found.handle, found.sequence)?.ips ?? [] });
}
