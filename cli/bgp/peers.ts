// `margay bgp peers`: the sessions of nodes, and what is the matter with those that are not as they should be.
import type { Command } from 'commander';
import { type BgpPeersView, type BgpPeerView, bgpPeersSchema } from '../../bgp/view.ts';
import { printAge } from '../objects-age.ts';
import { askNodes, type BgpOptions, NONE, printJson, printRows, wantsJson, withBgpOptions } from './ask-nodes.ts';

export function registerBgpPeers(bgp: Command): void {
  withBgpOptions(bgp.command('peers').description('sessions of nodes, and hints about those with a problem')).action(
    peers,
  );
}

async function peers(options: BgpOptions): Promise<void> {
  const views = await askNodes(options, '/v1/bgp/peers', (document) => bgpPeersSchema.parse(document));
  if (wantsJson(options)) return printJson(views);
  const wide = options.output === 'wide';
  const titles = ['NODE', 'PEER', 'ADDRESS', 'AS', 'TYPE', 'STATE', 'SINCE', 'RECEIVED', 'ACCEPTED', 'ADVERTISED'];
  const nowMs = Date.now();
  const rows = views.flatMap(({ node, peers }) =>
    peers.map((peer) => [node, ...cells(peer, nowMs), ...(wide ? wideCells(peer) : [])]),
  );
  printRows([...titles, ...(wide ? WIDE : [])], rows, 'No peers');
  for (const view of views) for (const line of remarks(view)) console.log(line);
}

const WIDE = ['FLAPS', 'EOR', 'FAMILIES', 'LIMIT', 'BFD', 'LAST ERROR'];

function cells({ name, address, asn, type, state, since, families }: BgpPeerView, nowMs: number): readonly string[] {
  const sum = (of: 'received' | 'accepted' | 'advertised'): string =>
    String(families.reduce((total, counts) => total + counts[of], 0));
  const age = since === undefined ? NONE : printAge(since, nowMs);
  return [name, address, String(asn), type, state, age, sum('received'), sum('accepted'), sum('advertised')];
}

function wideCells({ flaps, families, limit, bfd, lastError }: BgpPeerView): readonly string[] {
  const eor = families.filter(({ endOfRib }) => endOfRib).map(({ family }) => `v${family}`);
  const counts = families.map((of) => `v${of.family}:${of.received}/${of.accepted}/${of.advertised}`);
  return [
    String(flaps),
    eor.join(',') || NONE,
    counts.join(' '),
    String(limit ?? NONE),
    bfd ?? NONE,
    lastError ?? NONE,
  ];
}

function remarks({ node, connected, why, drain, peers }: BgpPeersView): readonly string[] {
  return [
    ...(connected ? [] : [`${node}: gobgpd does not answer: ${why ?? 'no reason known'}`]),
    ...(drain === undefined
      ? []
      : [`${node}: drained, its paths are ${drain === 'announced' ? 'announced as going' : 'withdrawn'}`]),
    ...peers.flatMap(({ name, hints }) => hints.map((hint) => `${node}, ${name}: ${hint}`)),
  ];
}
