// The story of one prefix, in the order in which it happens: who says what, what is believed, which path is best, where
// it leads, what the kernel has, and who is told.
import type { Cidr } from '../../lib/cidr.ts';
import type { Ip } from '../../lib/ip.ts';
import { SELECTION_STEPS } from './best-paths.ts';
import { communityText } from './community.ts';
import type { RejectedRoute } from './learned.ts';
import type { DesiredPolicies } from './route-policy.ts';
import type { RibPath } from './types.ts';
import { walkPolicy } from './walk-policy.ts';

export type ExplainInput = {
  readonly prefix: Cidr;
  /** What the prefix is to this node, as sentences. */
  readonly own: readonly string[];
  /** Of the speaker's table, for this prefix. */
  readonly paths: readonly RibPath[];
  /** Paths of the table that import rules refuse. */
  readonly rejected: readonly RejectedRoute[];
  readonly policies: DesiredPolicies;
  readonly peers: readonly ExplainPeer[];
  /** Where packets to a next hop go, as a sentence. */
  readonly wayTo: (nextHop: Ip) => string;
  /** Routes of the kernel, as sentences. */
  readonly kernel: readonly string[];
};

export type ExplainPeer = {
  readonly name: string;
  readonly address: Ip;
  /** Claimed towards the peer when it is of another AS; gobgpd puts it before the path first. */
  readonly prepended?: number;
  readonly established: boolean;
  /** What it sent of this prefix, before any policy. */
  readonly heard: readonly RibPath[];
  /** What it is told of this prefix. */
  readonly told: readonly RibPath[];
};

export type ExplainStep = { readonly title: string; readonly lines: readonly string[] };

export function explainPrefix(input: ExplainInput): readonly ExplainStep[] {
  const { own, peers, paths, wayTo, kernel } = input;
  const candidates = paths.filter((path) => !path.local && refusalOf(input, path) === undefined);
  const { lines, best } = selection(input, candidates);
  return [
    { title: 'This node', lines: own },
    {
      title: 'Heard from peers',
      lines: peers.flatMap((peer) => peer.heard.map((path) => heardLine(input, peer, path))),
    },
    { title: 'Paths in the table', lines: paths.map((path) => tableLine(input, path)) },
    { title: 'Best path', lines },
    {
      title: 'Next hops',
      lines: [...new Set(best.map(({ nextHop }) => nextHop))].map((nextHop) => `${nextHop}: ${wayTo(nextHop)}`),
    },
    { title: 'Kernel', lines: kernel },
    { title: 'Told to peers', lines: peers.map((peer) => toldLine(input, peer)) },
  ];
}

const refusalOf = ({ rejected }: ExplainInput, { from }: RibPath): RejectedRoute | undefined =>
  rejected.find((each) => each.from === from);

const nameOf = ({ peers }: ExplainInput, address: Ip | undefined): string => {
  const name = peers.find((peer) => peer.address === address)?.name;
  return name === undefined ? String(address ?? 'nobody') : `${name} (${address})`;
};

function attributes(path: RibPath): string {
  const communities = [
    ...path.communities.map(communityText),
    ...(path.largeCommunities ?? []).map((of) => of.join(':')),
  ];
  return [
    `next hop ${path.nextHop}`,
    `AS path ${path.asPath.length === 0 ? 'empty' : path.asPath.join(' ')}`,
    `LOCAL_PREF ${path.localPref}`,
    ...(path.med === 0 ? [] : [`MED ${path.med}`]),
    ...(communities.length === 0 ? [] : [`communities ${communities.join(' ')}`]),
    ...(path.stale ? ['kept while the peer restarts'] : []),
  ].join(', ');
}

function heardLine(input: ExplainInput, peer: ExplainPeer, path: RibPath): string {
  const { action, by } = walkPolicy(input.policies.import, path, peer.address);
  const rule = by === undefined ? 'no rule of a BGPFilter decides' : `by "${by}"`;
  const verdict = action === 'accept' ? `into the table, ${rule}` : `rejected ${rule}`;
  const inTable = input.paths.some(({ from }) => from === peer.address);
  const looped = action === 'accept' && !inTable ? '; gobgpd keeps it out all the same: own AS number in its path' : '';
  return `${nameOf(input, peer.address)}: ${attributes(path)}: ${verdict}${looped}`;
}

function tableLine(input: ExplainInput, path: RibPath): string {
  if (path.local) return `originated here: ${attributes(path)}`;
  const refusal = refusalOf(input, path);
  const { why = '', hint } = refusal ?? {};
  const verdict =
    refusal === undefined ? 'may reach the kernel' : `refused: ${why}${hint === undefined ? '' : ` (${hint})`}`;
  return `from ${nameOf(input, path.from)}: ${attributes(path)}: ${verdict}`;
}

function selection(
  input: ExplainInput,
  candidates: readonly RibPath[],
): { readonly lines: readonly string[]; readonly best: readonly RibPath[] } {
  const isOwn = candidates.length === 0 && input.paths.some(({ local }) => local);
  const lines = isOwn ? ["best: the node's own, originated here"] : [];
  let best = candidates;
  for (const { rule, keep } of SELECTION_STEPS) {
    if (best.length < 2) break;
    const kept = keep(best);
    const gone = best.filter((path) => !kept.includes(path)).map(({ from }) => nameOf(input, from));
    lines.push(`${rule}: ${gone.length === 0 ? `all ${kept.length} alike` : `drops ${gone.join(', ')}`}`);
    best = kept;
  }
  if (best.length > 0) {
    const names = best.map(({ from }) => nameOf(input, from)).join(', ');
    lines.push(best.length === 1 ? `best: that of ${names}` : `equal paths, used together: ${names}`);
  }
  return { lines, best };
}

function toldLine(input: ExplainInput, peer: ExplainPeer): string {
  const name = nameOf(input, peer.address);
  const [told] = peer.told;
  const session = peer.established ? '' : ', once there is a session';
  const [path] = input.paths.filter(({ from }) => from !== peer.address);
  if (told === undefined && path === undefined) return `${name}: nothing, there is no path but its own`;
  const asSent = path && {
    ...path,
    asPath: peer.prepended === undefined ? path.asPath : [peer.prepended, ...path.asPath],
  };
  const { by } = asSent === undefined ? {} : walkPolicy(input.policies.export, asSent, peer.address);
  const rule = by === undefined ? 'no rule lets it out: learned paths stay on the node' : `by "${by}"`;
  if (told !== undefined) return `${name}: told${session}, ${attributes(told)}${by === undefined ? '' : `, ${rule}`}`;
  return `${name}: not told, ${rule}`;
}
