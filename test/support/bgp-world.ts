// The cluster of the BGP tests: two nodes of AS 64512 with a block each, and a router of AS 64600 above them.
import assert from 'node:assert/strict';
import { type DesiredBgpInput, desiredBgp } from '../../bgp/model/desired.ts';
import type { DesiredBgp } from '../../bgp/model/types.ts';
import type { BgpPeer } from '../../datastore/resources/bgp-peer.ts';
import type { Node } from '../../datastore/resources/node.ts';
import type { Asn } from '../../datastore/resources/scalars.ts';
import { type Cidr, parseCidr } from '../../lib/cidr.ts';
import { type Ip, parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';

/** A signal for calls that are not cancelled. */
export const NEVER = new AbortController().signal;

export const ADDRESS = { n1: '198.51.100.1', n2: '198.51.100.2', tor: '198.51.100.254' } as const;
export const cidr = (text: string): Cidr => unwrap(parseCidr(text));
export const ip = (text: string): Ip => unwrap(parseIp(text));
export const asn = (number: number): Asn => number as Asn;
export const POOL = cidr('10.244.0.0/16');
export const BLOCK = { n1: cidr('10.244.1.0/24'), n2: cidr('10.244.2.0/24') } as const;

export function nodeObject(name: string, address: string, annotations: Readonly<Record<string, string>> = {}): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, annotations },
    status: { addresses: [{ type: 'InternalIP', address }] },
  };
}

export function peerObject(
  name: string,
  spec: Omit<BgpPeer['spec'], 'asNumber'> & { readonly peerIP: string; readonly asNumber: number },
): BgpPeer {
  const metadata = { name };
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'BGPPeer',
    metadata,
    spec: { ...spec, asNumber: asn(spec.asNumber) },
  };
}

/** What a node wants, `change`d; fails on problems. */
export function desiredOf(node: 'n1' | 'n2', change: Partial<DesiredBgpInput> = {}): DesiredBgp {
  return checked({
    node,
    nodes: [nodeObject('n1', ADDRESS.n1), nodeObject('n2', ADDRESS.n2)],
    peers: [peerObject('tor', { peerIP: ADDRESS.tor, asNumber: 64600 })],
    blocks: [BLOCK[node]],
    pools: [],
    ...change,
  });
}

/**
 * A router made of our own speaker: peers with both nodes, and leaks a default route. It waits for them: gobgpds of 3.x
 * that dial each other close both connections when these cross, then try again in step, and have taken most of a minute so.
 */
export function desiredOfTor(): DesiredBgp {
  const desired = checked({
    node: 'tor',
    nodes: [nodeObject('tor', ADDRESS.tor, { 'projectcalico.org/ASNumber': '64600' })],
    peers: (['n1', 'n2'] as const).map((name) => peerObject(name, { peerIP: ADDRESS[name], asNumber: 64512 })),
    blocks: [cidr('0.0.0.0/0')],
    pools: [],
  });
  const peers = [...desired.peers].map(([address, peer]) => [address, { ...peer, connect: 'passive' }] as const);
  return { ...desired, peers: new Map(peers) };
}

function checked(input: DesiredBgpInput): DesiredBgp {
  const { desired, problems } = desiredBgp(input);
  assert.deepEqual(problems, []);
  assert.ok(desired);
  return desired;
}
