// Sets of the model as nf_tables sets and elements, one set per family.
import { type Family, type Ip, ipFamily } from '../../../lib/ip.ts';
import type { Element, NftSet } from '../../../lib/nftables/ast.ts';
import type { PortMember, RangeMember, SetChange } from '../../../policy/model/types.ts';
import { setNames } from './names.ts';

/** The sets that a set of the model stands for. Ranges are of one family; of the others both exist, even if empty. */
export function setObjects(change: SetChange): readonly NftSet[] {
  const names = setNames(change.kind, change.key);
  return familiesOf(change).map((family) => ({
    kind: 'set',
    name: names[family],
    keyTypes: change.kind === 'ports' ? [ADDRESS_TYPE[family], 'inet_proto', 'inet_service'] : [ADDRESS_TYPE[family]],
    interval: change.kind === 'ranges',
  }));
}

/** The elements that members of the set stand for. */
export function elementObjects(change: SetChange, which: 'added' | 'removed'): readonly Element[] {
  if (change[which].length === 0) return [];
  const names = setNames(change.kind, change.key);
  const element = (ip: Ip, key: Element['key']): Element => ({ kind: 'element', set: names[ipFamily(ip)], key });
  switch (change.kind) {
    case 'addresses':
      return change[which].map((ip) => element(ip, [ip]));
    case 'ranges':
      return change[which].map((range) => element(range.first, [rangeScalar(range)]));
    case 'ports':
      return change[which].map((member) => element(member.ip, portKey(member)));
    default:
      return change satisfies never;
  }
}

const ADDRESS_TYPE = { 4: 'ipv4_addr', 6: 'ipv6_addr' } as const;

function familiesOf(change: SetChange): readonly Family[] {
  if (change.kind !== 'ranges') return [4, 6];
  return [...new Set([...change.added, ...change.removed].map(({ first }) => ipFamily(first)))];
}

const rangeScalar = ({ first, last }: RangeMember): Element['key'][number] =>
  first === last ? first : { from: first, to: last };

const portKey = ({ ip, protocol, port }: PortMember): Element['key'] => [ip, protocol, port];
