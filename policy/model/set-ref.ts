// What a set of the dataplane stands for, and its canonical key. Two rules that mean the same set refer to one set.
import type { Protocol } from '../ir.ts';
import { type PodScope, scopeKey } from '../pod-scope.ts';
import type { Selector } from '../selector.ts';
import type { RangeMember, SetKey } from './types.ts';

/**
 * `addresses`: those of the pods of a scope. `nodes`: those of the nodes that are selected. `ports`: what the pods of a scope declare under a name, with the protocol
 * or, without one, with any. `ranges`: fixed ranges of one family.
 */
export type SetRef =
  | { readonly kind: 'addresses'; readonly scope: PodScope }
  | { readonly kind: 'nodes'; readonly selector: Selector }
  | { readonly kind: 'ports'; readonly scope: PodScope; readonly name: string; readonly protocol?: Protocol }
  | { readonly kind: 'ranges'; readonly ranges: readonly RangeMember[] };

export function setKeyOf(ref: SetRef): SetKey {
  switch (ref.kind) {
    case 'addresses':
      return `pods ${scopeKey(ref.scope)}` as SetKey;
    case 'nodes':
      return `nodes ${ref.selector.text}` as SetKey;
    case 'ports':
      return `ports ${ref.protocol ?? 'any'} ${ref.name} ${scopeKey(ref.scope)}` as SetKey;
    case 'ranges':
      return `nets ${ref.ranges.map(({ first, last }) => `${first}-${last}`).join(' ')}` as SetKey;
    default:
      return ref satisfies never;
  }
}
