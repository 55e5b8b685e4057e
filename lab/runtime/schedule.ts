// The lab's scheduler: the node with the fewest pods, the first by name order among equals.
import type { Pod } from '../../datastore/resources/pod.ts';

/** The node for one more pod; `undefined` when there are no nodes. */
export function chooseNode(nodes: readonly string[], pods: Iterable<Pod>): string | undefined {
  const counts = new Map(nodes.map((node) => [node, 0]));
  for (const { spec } of pods) {
    const count = counts.get(spec.nodeName ?? '');
    if (count !== undefined) counts.set(spec.nodeName ?? '', count + 1);
  }
  return [...counts].reduce<readonly [string, number] | undefined>(
    (best, each) => (best === undefined || each[1] < best[1] ? each : best),
    undefined,
  )?.[0];
}
