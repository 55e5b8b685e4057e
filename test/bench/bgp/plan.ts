// Addresses of the BGP benchmarks: a segment of nodes, and thousands of blocks in a pool of their own.
import type { IpPool } from '../../../datastore/resources/ip-pool.ts';
import { type Cidr, cidrOf, parseCidr } from '../../../lib/cidr.ts';
import { type Ip, ipv4FromNumber, parseIp } from '../../../lib/ip.ts';
import { unwrap } from '../../../lib/result.ts';

/** 8192 blocks /24, outside the pool from which a node takes its own. */
export const MANY_POOL = unwrap(parseCidr('10.64.0.0/11'));
const FIRST = 0x0a_40_00_00;

/** The first `count` blocks from `from` on; past 8192 they are beyond the pool. */
export const manyPrefixes = (count: number, from = 0): readonly Cidr[] =>
  Array.from({ length: count }, (_, index) => cidrOf(ipv4FromNumber(FIRST + (from + index) * 256), 24));

/** Of node 1 to 254. */
export const nodeAddress = (node: number): Ip => unwrap(parseIp(`198.51.100.${node}`));

export const manyPool: IpPool = {
  apiVersion: 'projectcalico.org/v3',
  kind: 'IPPool',
  metadata: { name: 'many' },
  // Nobody takes addresses from it, and still its blocks are believed.
  spec: { cidr: MANY_POOL, disabled: true },
};
