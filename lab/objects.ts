// The objects that a new cluster begins with: its nodes, its address pool, and that every node peers with the ToR.
import type { Resource } from '../datastore/resources/index.ts';
import { parseResource } from '../datastore/resources/parse.ts';
import { unwrap } from '../lib/result.ts';
import { type LabSpec, NODE_ASN, POD_POOL, TOR_ASN } from './spec.ts';

/** In an order in which they can be created. */
export function initialObjects({ nodes, tor }: LabSpec): readonly Resource[] {
  const calico = 'projectcalico.org/v3';
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } },
    ...nodes.map(({ name, address }) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' } },
      status: {
        addresses: [
          { type: 'InternalIP', address },
          { type: 'Hostname', address: name },
        ],
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    })),
    {
      apiVersion: calico,
      kind: 'IPPool',
      metadata: { name: 'default-ipv4-ippool' },
      spec: { cidr: POD_POOL, blockSize: 24 },
    },
    {
      apiVersion: calico,
      kind: 'BGPConfiguration',
      metadata: { name: 'default' },
      spec: { asNumber: NODE_ASN, nodeToNodeMeshEnabled: true },
    },
    {
      apiVersion: calico,
      kind: 'BGPPeer',
      metadata: { name: 'tor' },
      spec: { peerIP: tor.address, asNumber: TOR_ASN },
    },
  ].map((raw) => unwrap(parseResource(raw)));
}
