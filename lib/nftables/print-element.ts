// Prints values of sets, named and anonymous, as nft(8) lists them: runs that are a prefix as CIDR, others as ranges.
import { type Ip, ipFamily, ipToBigInt } from '../ip.ts';
import type { Element, NftSet, Scalar } from './ast.ts';
import { printVerdict } from './print-verdict.ts';
import { isRange, printScalar, type ValueType } from './value-types.ts';

/** Without `set` the types are read off the values. @throws Error on values that do not fit the set */
export function printElement({ key, verdict }: Element, set: NftSet | undefined): string {
  const fields = key.map((scalar, i) => printSetValue(set?.keyTypes[i] ?? likelyType(scalar), scalar)).join(' . ');
  return verdict === undefined ? fields : `${fields} : ${printVerdict(verdict)}`;
}

export function printSetValue(type: ValueType, scalar: Scalar): string {
  if (!isRange(scalar)) return printScalar(type, scalar);
  if (scalar.from === scalar.to) return printScalar(type, scalar.from);
  const length =
    type === 'ipv4_addr' || type === 'ipv6_addr' ? prefixLength(scalar.from as Ip, scalar.to as Ip) : undefined;
  return length === undefined ? printScalar(type, scalar) : `${scalar.from}/${length}`;
}

/** Length of the prefix that is exactly this range. */
function prefixLength(from: Ip, to: Ip): number | undefined {
  const [first, last] = [ipToBigInt(from), ipToBigInt(to)];
  const size = last - first + 1n;
  if (size <= 0n || (size & (size - 1n)) !== 0n || first % size !== 0n) return undefined;
  return (ipFamily(from) === 4 ? 32 : 128) - (size.toString(2).length - 1);
}

function likelyType(scalar: Scalar): ValueType {
  const value = isRange(scalar) ? scalar.from : scalar;
  if (typeof value === 'number') return 'inet_service';
  if (value.includes(':')) return 'ipv6_addr';
  if (/^\d+\.\d+\.\d+\.\d+$/.test(value)) return 'ipv4_addr';
  return /^(tcp|udp|sctp|icmp|ipv6-icmp|ipip|gre|esp)$/.test(value) ? 'inet_proto' : 'ifname';
}
