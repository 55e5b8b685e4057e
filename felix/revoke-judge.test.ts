// Flows against the rendered rules of a small node: what counts is who began the flow, and where it led behind
// translation.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Attachment } from '../cni/attachment.ts';
import { parseResource } from '../datastore/resources/parse.ts';
import { parseCidr } from '../lib/cidr.ts';
import { type Ip, parseIp } from '../lib/ip.ts';
import type { Flow } from '../lib/linux/conntrack-codec.ts';
import { hostIfName } from '../lib/linux/if-name.ts';
import { unwrap } from '../lib/result.ts';
import { createModel, type Model } from './model/model.ts';
import { FIRST_GENERATION } from './render/policy/generation.ts';
import { createFlowJudge } from './revoke-judge.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));
const CLIENT = ip('10.244.1.1');
const DB = ip('10.244.1.2');
const GONE = ip('10.244.1.9');
const OUTSIDE = ip('203.0.113.7');
const NODE = ip('198.51.100.11');
const LOOPBACK = ip('127.0.0.1');
const SERVICE = ip('10.96.0.10');

/** `db` takes UDP 53 from `client` and 203.0.113.0/24 only, and may begin nothing; `client` is free. */
function model(): Model {
  const made = createModel({ node: 'node1', generation: FIRST_GENERATION });
  const put = (raw: { kind: string; metadata: { namespace?: string; name: string } }): void => {
    const value = unwrap(parseResource(raw));
    const { namespace, name } = raw.metadata;
    const key = [raw.kind, ...(namespace === undefined ? [] : [namespace]), name].join('/') as never;
    made.accept({ kind: 'resource', version: '1', change: { key, value } });
  };
  put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } } as never);
  for (const [pod, address] of Object.entries({ client: CLIENT, db: DB })) {
    const metadata = { namespace: 'shop', name: pod, labels: { app: pod } };
    put({ apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName: 'node1' } } as never);
    const ifName = hostIfName('shop', pod);
    const attachment = { handle: pod, namespace: 'shop', pod, hostIfName: ifName, ips: [address] };
    made.accept({ kind: 'attached', attachment: attachment as unknown as Attachment });
  }
  put({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace: 'shop', name: 'db' },
    spec: {
      podSelector: { matchLabels: { app: 'db' } },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          from: [{ podSelector: { matchLabels: { app: 'client' } } }, { ipBlock: { cidr: '203.0.113.0/24' } }],
          ports: [{ port: 53, protocol: 'UDP' }],
        },
      ],
    },
  } as never);
  made.accept({ kind: 'in-sync', version: '2' });
  made.drainNft('keep');
  return made;
}

/** IPS_DST_NAT (include/uapi/linux/netfilter/nf_conntrack_common.h). */
const DST_NAT = 0x20;

type Ends = { readonly src: Ip; readonly dst: Ip; readonly to?: Ip; readonly port: number; readonly protocol?: number };

/** From a high port of `src`; `to` is where a translation of `dst` leads. */
function flow({ src, dst, to = dst, port, protocol = 17 }: Ends): Flow {
  return {
    protocol,
    original: { src, dst, ports: { src: 40_000, dst: port } },
    reply: { src: to, dst: src, ports: { src: port, dst: 40_000 } },
    mark: 0x10000,
    status: to === dst ? 0 : DST_NAT,
    id: 1,
  };
}

const judge = (() => {
  const made = model();
  return createFlowJudge({
    objects: made.nftObjects(),
    endpoints: made.endpoints(),
    blocks: [unwrap(parseCidr('10.244.1.0/24'))],
    localAddresses: new Set([NODE, LOOPBACK]),
  });
})();

const ROWS = [
  { name: 'a pod that may', given: flow({ src: CLIENT, dst: DB, port: 53 }), expected: 'allowed' },
  { name: 'another port', given: flow({ src: CLIENT, dst: DB, port: 54 }), expected: 'denied' },
  { name: 'another protocol', given: flow({ src: CLIENT, dst: DB, port: 53, protocol: 6 }), expected: 'denied' },
  { name: 'the other way round', given: flow({ src: DB, dst: CLIENT, port: 53 }), expected: 'denied' },
  { name: 'from an allowed range', given: flow({ src: OUTSIDE, dst: DB, port: 53 }), expected: 'allowed' },
  { name: 'from elsewhere', given: flow({ src: ip('203.0.112.7'), dst: DB, port: 53 }), expected: 'denied' },
  { name: 'through a service', given: flow({ src: CLIENT, dst: SERVICE, to: DB, port: 53 }), expected: 'allowed' },
  { name: 'a port of a service', given: flow({ src: CLIENT, dst: SERVICE, to: DB, port: 80 }), expected: 'denied' },
  { name: 'from the node', given: flow({ src: NODE, dst: DB, port: 80 }), expected: 'foreign' },
  { name: 'to the node, free', given: flow({ src: CLIENT, dst: NODE, port: 80 }), expected: 'allowed' },
  { name: 'to the node, isolated', given: flow({ src: DB, dst: NODE, port: 80 }), expected: 'denied' },
  {
    name: 'led to the loopback of the node by the node',
    given: flow({ src: CLIENT, dst: ip('169.254.169.254'), to: LOOPBACK, port: 80 }),
    expected: 'allowed',
  },
  { name: 'to the loopback of the node', given: flow({ src: CLIENT, dst: LOOPBACK, port: 80 }), expected: 'denied' },
  { name: 'of others', given: flow({ src: OUTSIDE, dst: NODE, port: 80 }), expected: 'foreign' },
  { name: 'from a pod that is gone', given: flow({ src: GONE, dst: DB, port: 53 }), expected: 'orphaned' },
  { name: 'to a pod that is gone', given: flow({ src: NODE, dst: GONE, port: 53 }), expected: 'orphaned' },
  {
    name: 'to a service whose pod is gone',
    given: flow({ src: CLIENT, dst: SERVICE, to: GONE, port: 53 }),
    expected: 'orphaned',
  },
  {
    name: 'a protocol without ports',
    given: { ...flow({ src: CLIENT, dst: DB, port: 1 }), protocol: 47 },
    expected: 'denied',
  },
] as const;

for (const { name, given, expected } of ROWS) {
  test(`a flow ${name} is ${expected}`, () => {
    assert.equal(judge(given), expected);
    assert.equal(judge(given), expected, 'the second time too');
  });
}
