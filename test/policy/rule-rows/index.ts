// The rules that an implementation of NetworkPolicy and ClusterNetworkPolicy must satisfy, each as a small world and packets with their fate. The
// oracle and the rendered table are both held to them.
import { ipv6Twin } from '../ipv6-twin.ts';
import { CLUSTER_ROWS } from './cluster-rows.ts';
import { ISOLATION_ROWS } from './isolation-rows.ts';
import { PEER_ROWS } from './peer-rows.ts';
import { PLACE_ROWS } from './place-rows.ts';
import { PORT_ROWS } from './port-rows.ts';
import type { RuleRow } from './shop.ts';

const ROWS: readonly RuleRow[] = [...ISOLATION_ROWS, ...PEER_ROWS, ...PORT_ROWS, ...PLACE_ROWS, ...CLUSTER_ROWS];

/** All rows; those that speak of IPv4 alone also in IPv6. */
export const RULE_ROWS: readonly RuleRow[] = [...ROWS, ...ROWS.flatMap((row) => ipv6Twin(row) ?? [])];
