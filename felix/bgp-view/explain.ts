// The document that explains one prefix: what gobgpd, the model and the kernel say of it, put together.
import { explainPrefix } from '../../bgp/model/explain-prefix.ts';
import type { BgpExplainView } from '../../bgp/view.ts';
import { type Cidr, cidrContains, cidrContainsCidr, cidrFamily, cidrLength, parseCidr } from '../../lib/cidr.ts';
import { type Ip, parseIp } from '../../lib/ip.ts';
import { listLinks } from '../../lib/linux/links.ts';
import { dumpRoutes, type Route } from '../../lib/linux/routes.ts';
import { err, ok, type Result } from '../../lib/result.ts';
import { hostRoute, ROUTE_PROTOCOL } from '../model/route.ts';
import { type BgpParts, knownPrefixes, peerNames, readPeers } from './parts.ts';

/** `text`: a prefix, or an address, which stands for the longest known prefix that holds it. @throws BgpError */
export async function bgpExplainView(parts: BgpParts, text: string): Promise<Result<BgpExplainView>> {
  const prefix = prefixOf(parts, text);
  if (!prefix.ok) return prefix;
  const { node, model, gobgp, rtnl } = parts;
  const { routing } = model;
  const { desired } = routing.bgp();
  if (desired === undefined) return err(`Cannot explain "${text}": node "${node}" cannot speak BGP, see its status`);
  const names = peerNames(parts);
  const peers = [];
  for (const { address, state } of await readPeers(parts)) {
    const wanted = desired.peers.get(address);
    const asn = wanted?.localAsn ?? desired.global.asn;
    const ofPrefix = async (direction: 'adj-in' | 'adj-out') =>
      (await gobgp.adjacent(address, direction)).filter((path) => path.prefix === prefix.value);
    peers.push({
      name: names.get(address) ?? address,
      address,
      ...(wanted !== undefined && wanted.asn !== asn ? { prepended: asn } : {}),
      established: state === 'established',
      heard: await ofPrefix('adj-in'),
      told: await ofPrefix('adj-out'),
    });
  }
  const steps = explainPrefix({
    prefix: prefix.value,
    own: aboutOwn(parts, prefix.value),
    paths: routing.paths(prefix.value),
    rejected: routing.learned().rejected.filter((each) => each.prefix === prefix.value),
    policies: desired.policies,
    peers,
    wayTo: (nextHop) => wayText(parts, nextHop),
    kernel: kernelLines(prefix.value, dumpRoutes(rtnl), (index) => linkName(parts, index)),
  });
  return ok({ node, prefix: prefix.value, steps: steps.map(({ title, lines }) => ({ title, lines: [...lines] })) });
}

function prefixOf(parts: BgpParts, text: string): Result<Cidr> {
  if (text.includes('/')) return parseCidr(text);
  const ip = parseIp(text);
  if (!ip.ok) return err(`Cannot explain "${text}": expected a prefix such as "10.244.3.0/24", or an address`);
  const holding = [...knownPrefixes(parts)].filter((prefix) => cidrContains(prefix, ip.value));
  const [longest] = holding.sort((a, b) => cidrLength(b) - cidrLength(a));
  return ok(longest ?? hostRoute(ip.value));
}

function aboutOwn({ model }: BgpParts, prefix: Cidr): readonly string[] {
  const { routing } = model;
  const { desired, drain } = routing.bgp();
  const lines: string[] = [];
  const block = routing.blocks().find((each) => cidrContainsCidr(each, prefix));
  const pool = model.pools().find(({ spec }) => cidrContainsCidr(spec.cidr, prefix));
  if (pool !== undefined) lines.push(`inside IPPool "${pool.metadata.name}" (${pool.spec.cidr})`);
  if (block !== undefined) lines.push(block === prefix ? 'a block that this node owns' : `inside its block ${block}`);
  const service = routing.services().get(prefix);
  if (service !== undefined) {
    const whom = service.services.length === 0 ? 'a range of BGPConfiguration' : service.services.join(', ');
    lines.push(`service addresses that this node draws: ${whom}`);
  }
  if (desired?.paths.has(prefix) === true) {
    lines.push(drain === undefined ? 'originated here' : 'originated here with GRACEFUL_SHUTDOWN: the node drains');
  } else if (block === prefix || service !== undefined) {
    lines.push(`not originated: ${whyNotOriginated()}`);
  } else lines.push('not originated here');
  return lines;

  function whyNotOriginated(): string {
    if (drain === 'withdrawn') return 'the node is drained, and advertises nothing';
    if (drain === 'announced' && service !== undefined) return 'the node drains, and draws no service traffic';
    if (pool?.spec.disableBGPExport === true) return `IPPool "${pool.metadata.name}" has disableBGPExport`;
    return `the node has no IPv${cidrFamily(prefix)} address`;
  }
}

function wayText({ model, ...parts }: BgpParts, nextHop: Ip): string {
  const way = model.routing.wayTo(nextHop);
  const dev = (oif: number | undefined): string => (oif === undefined ? '' : ` dev ${linkName(parts, oif)}`);
  switch (way?.kind) {
    case 'on-link':
      return `on a connected subnet${dev(way.oif)}`;
    case 'via':
      return `through ${way.hops.map(({ gateway, oif }) => `${gateway}${dev(oif)}`).join(', ')}, by route ${way.route}`;
    case 'unreachable':
      return way.why;
    case undefined:
      return 'not looked up yet';
    default:
      return way satisfies never;
  }
}

const linkName = ({ rtnl }: Pick<BgpParts, 'rtnl'>, index: number): string =>
  listLinks(rtnl).find((link) => link.index === index)?.name ?? `interface ${index}`;

/** The routes of exactly this prefix; without one, the route that packets take instead. */
function kernelLines(prefix: Cidr, routes: readonly Route[], nameOf: (index: number) => string): readonly string[] {
  const line = (route: Route): string => {
    const hops = route.nextHops.map(
      ({ gateway, oif }) => ` via ${gateway}${oif === undefined ? '' : ` dev ${nameOf(oif)}`}`,
    );
    const dev = route.oif === undefined || hops.length > 0 ? '' : ` dev ${nameOf(route.oif)}`;
    const kind = route.type === 'unicast' ? '' : `${route.type} `;
    const whose = route.protocol === ROUTE_PROTOCOL ? 'of Margay' : `of protocol ${route.protocol}`;
    return `${kind}${route.dst}${dev}${hops.join('')}, metric ${route.metric}, ${whose}`;
  };
  const exact = routes.filter(({ dst }) => dst === prefix);
  if (exact.length > 0) return exact.sort((a, b) => a.metric - b.metric).map(line);
  const [covering] = routes
    .filter(({ dst }) => cidrContainsCidr(dst, prefix))
    .sort((a, b) => cidrLength(b.dst) - cidrLength(a.dst) || a.metric - b.metric);
  return [covering === undefined ? 'no route' : `no route of its own; packets take ${line(covering)}`];
}
