// Random histories of what a node's model hears of objects and attachments: repeats, reversals, spurious ends, pods that
// are replaced, moved or finished while they are attached, sandboxes that take the place of others, and drains anywhere.
import fc from 'fast-check';
import { keyOf, type Resource, type ResourceKey } from '../../datastore/resources/index.ts';
import { parseResource } from '../../datastore/resources/parse.ts';
import { CONTAINER_NAMESPACE } from '../../ipam/handle.ts';
import { parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';
import { labels, policyResource } from './arbitraries.ts';

/** The own node. */
export const NODE = 'node1';
const PODS = ['shop/a', 'shop/b', 'monitoring/a', `${CONTAINER_NAMESPACE}/c`] as const;
/** What pods here may have. */
export const IPS = [1, 2, 3, 4].map((n) => unwrap(parseIp(`10.244.0.${n}`)));
/** Of a pod elsewhere, of nobody and of nodes. */
export const OTHERS = ['10.244.9.1', '203.0.113.9', '198.51.100.2', '198.51.100.3'].map((text) =>
  unwrap(parseIp(text)),
);

const object = (raw: object): Resource => unwrap(parseResource(raw));
export const namesOf = (pod: string): readonly [namespace: string, name: string] => {
  const [namespace = '', name = ''] = pod.split('/');
  return [namespace, name];
};

export type Step =
  | { readonly kind: 'put'; readonly resource: Resource }
  | { readonly kind: 'delete' | 'unreadable'; readonly key: ResourceKey }
  | { readonly kind: 'attach'; readonly pod: string; readonly sandbox: string; readonly uid: string | undefined }
  | { readonly kind: 'detach'; readonly pod: string; readonly sandbox: string }
  | { readonly kind: 'drain' };

const uid = fc.constantFrom('one', 'two', undefined);

const podObject = fc
  .record({
    pod: fc.constantFrom(...PODS),
    uid,
    labels,
    nodeName: fc.constantFrom(NODE, NODE, NODE, 'node2', undefined),
    hostNetwork: fc.integer({ min: 0, max: 6 }).map((n) => n === 0),
    phase: fc.constantFrom('Running', 'Running', 'Running', 'Pending', 'Succeeded'),
    ip: fc.constantFrom(undefined, ...IPS, ...OTHERS.slice(0, 1)),
  })
  .map(({ pod, uid: own, labels: some, nodeName, hostNetwork, phase, ip }): Resource => {
    const [namespace, name] = namesOf(pod);
    return object({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace, name, labels: some, ...(own !== undefined && { uid: own }) },
      spec: { hostNetwork, ...(nodeName !== undefined && { nodeName }) },
      status: { phase, podIPs: ip === undefined ? [] : [{ ip }] },
    });
  });

const other = fc.oneof(
  fc
    .record({ name: fc.constantFrom('shop', 'monitoring', CONTAINER_NAMESPACE), labels })
    .map((metadata): Resource => object({ apiVersion: 'v1', kind: 'Namespace', metadata })),
  fc
    .record({
      name: fc.constantFrom('node2', 'node3'),
      labels,
      address: fc.constantFrom(undefined, '198.51.100.2', '198.51.100.3'),
      annotated: fc.constantFrom(undefined, '198.51.100.3/24', '203.0.113.9/24', 'junk'),
    })
    .map(({ name, labels: some, address, annotated }): Resource => {
      const annotations = annotated === undefined ? {} : { 'projectcalico.org/IPv4Address': annotated };
      const addresses = address === undefined ? [] : [{ type: 'InternalIP', address }];
      const metadata = { name, labels: some, annotations };
      return object({ apiVersion: 'v1', kind: 'Node', metadata, status: { addresses } });
    }),
  fc
    .record({
      name: fc.constantFrom('default', 'node.node2'),
      listenPort: fc.constantFrom(undefined, 179, 80, 81),
      services: fc.constantFrom(undefined, '203.0.113.0/24', '10.96.0.0/16'),
    })
    .map(
      ({ name, listenPort, services }): Resource =>
        object({
          apiVersion: 'projectcalico.org/v3',
          kind: 'BGPConfiguration',
          metadata: { name },
          spec: {
            ...(listenPort !== undefined && { listenPort }),
            ...(services !== undefined && name === 'default' && { serviceClusterIPs: [{ cidr: services }] }),
          },
        }),
    ),
);

const resource = fc.oneof(
  { weight: 4, arbitrary: podObject },
  { weight: 2, arbitrary: other },
  { weight: 2, arbitrary: policyResource },
);

const sandbox = fc.record({ pod: fc.constantFrom(...PODS), sandbox: fc.constantFrom('s1', 's2') });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: resource.map((each): Step => ({ kind: 'put', resource: each })) },
  { weight: 2, arbitrary: resource.map((each): Step => ({ kind: 'delete', key: keyOf(each) })) },
  { weight: 1, arbitrary: podObject.map((each): Step => ({ kind: 'unreadable', key: keyOf(each) })) },
  {
    weight: 4,
    arbitrary: fc.record({ where: sandbox, uid }).map(
      ({ where, uid: own }): Step => ({
        kind: 'attach',
        ...where,
        uid: where.pod.startsWith(CONTAINER_NAMESPACE) ? undefined : own,
      }),
    ),
  },
  { weight: 3, arbitrary: sandbox.map((where): Step => ({ kind: 'detach', ...where })) },
  { weight: 4, arbitrary: fc.constant<Step>({ kind: 'drain' }) },
);

/** A history; with up to 50 steps most things meet most others. */
export const history = fc.array(step, { maxLength: 50, size: 'max' });
