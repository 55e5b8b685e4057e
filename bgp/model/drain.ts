// Whether a node is to be relieved of its traffic: asked for by an annotation, which `margay node drain` writes, or by a
// taint. It stands in the Node object, so that an agent that restarts goes on with it.
import type { Node } from '../../datastore/resources/node.ts';
import type { Drain } from './own-paths.ts';

/** Annotation of a Node: `announced` or `withdrawn`. Absent: the node takes traffic. */
export const NODE_DRAIN_ANNOTATION = 'margay.dev/drain';
/** Taints whose presence is as good as `announced`, whatever their value and effect: ours, and Kubernetes' own. */
export const DRAIN_TAINTS = ['margay.dev/drain', 'node.kubernetes.io/out-of-service'] as const;

export type DrainWish = { readonly drain: Drain | undefined; readonly problems: readonly string[] };

/** An annotation that cannot be read drains as `announced`: somebody wants the traffic to go, and nothing is lost by it. */
export function drainOf(node: Node | undefined): DrainWish {
  const wish = node?.metadata.annotations?.[NODE_DRAIN_ANNOTATION];
  if (wish === undefined) return { drain: node && isTainted(node) ? 'announced' : undefined, problems: [] };
  if (wish === 'announced' || wish === 'withdrawn') return { drain: wish, problems: [] };
  const why = `Cannot read annotation "${NODE_DRAIN_ANNOTATION}" of node "${node?.metadata.name}": "${wish}", expected "announced" or "withdrawn"; the node drains as announced`;
  return { drain: 'announced', problems: [why] };
}

/** The taints that drain a node. */
export function drainTaintsOf(node: Node): readonly string[] {
  const taints = node.spec?.['taints'];
  const keys = Array.isArray(taints) ? taints.map(keyOf) : [];
  return DRAIN_TAINTS.filter((key) => keys.includes(key));
}

const isTainted = (node: Node): boolean => drainTaintsOf(node).length > 0;

function keyOf(taint: unknown): unknown {
  return typeof taint === 'object' && taint !== null ? Reflect.get(taint, 'key') : undefined;
}
