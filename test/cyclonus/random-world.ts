// Random worlds in which every pod has a fixed address and, so, a namespace that is wired once for all of them.
import fc from 'fast-check';
import type { Family } from '../../lib/ip.ts';
import { ipFamily } from '../../lib/ip.ts';
import type { World } from '../../policy/oracle.ts';
import type { PodFacts } from '../../policy/world.ts';
import {
  labels,
  NAMESPACES,
  NODES,
  nodeFacts,
  PODS,
  podFacts,
  podIp,
  podIp6,
  policyResource,
} from '../policy/arbitraries.ts';
import type { FieldPod } from '../support/frames/pod-field.ts';

/** All pods that there may be in a world, with both their addresses. */
export const RANDOM_PODS: readonly FieldPod[] = NAMESPACES.flatMap((namespace, row) =>
  PODS.map((name, column) => {
    const index = row * PODS.length + column + 1;
    return { namespace, name, ips: [podIp(index), podIp6(index)] };
  }),
);

const families: fc.Arbitrary<readonly Family[]> = fc.constantFrom([4, 6], [4, 6], [4], [6], []);

const podOf = ({ namespace, name, ips }: FieldPod): fc.Arbitrary<PodFacts> =>
  fc.record({ facts: podFacts, families }).map(({ facts, families: has }) => ({
    ...facts,
    namespace,
    name,
    ips: ips.filter((ip) => has.includes(ipFamily(ip))),
  }));

const present = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { freq: 9, nil: undefined });

const namespaces = fc
  .tuple(...NAMESPACES.map((name) => present(labels.map((own) => [name, own] as const))))
  .map((all) => new Map(all.filter((one) => one !== undefined)));

const nodes = fc.tuple(...NODES.map((name) => nodeFacts.map((facts) => ({ name, ...facts }))));

/** Pods and namespaces are absent now and then; nodes run none of the pods, so their addresses are outside. */
export const randomWorld: fc.Arbitrary<World> = fc
  .record({
    namespaces,
    pods: fc.tuple(...RANDOM_PODS.map((pod) => present(podOf(pod)))),
    policies: fc.uniqueArray(policyResource, {
      selector: ({ kind, metadata }) => `${kind} ${metadata['namespace'] ?? ''}/${metadata.name}`,
      minLength: 1,
      maxLength: 6,
    }),
    nodes,
  })
  .map((all) => ({
    namespaces: all.namespaces,
    pods: all.pods.filter((pod) => pod !== undefined),
    policies: all.policies,
    nodes: new Map(all.nodes.map(({ name, ips }) => [name, ips])),
    nodeLabels: new Map(all.nodes.map(({ name, labels: own }) => [name, own])),
  }));
