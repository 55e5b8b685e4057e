// Equality of inputs: an update that changes nothing for policy (a status heartbeat, a replayed watch) ends here.
import type { Ip } from '../../lib/ip.ts';
import type { Labels } from '../selector.ts';
import type { NodeFacts, PodFacts } from '../world.ts';
import type { Endpoint } from './types.ts';

export function sameLabels(a: Labels, b: Labels): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key]);
}

export function samePod(a: PodFacts, b: PodFacts): boolean {
  return (
    a.namespace === b.namespace &&
    a.name === b.name &&
    a.uid === b.uid &&
    a.node === b.node &&
    a.hostNetwork === b.hostNetwork &&
    a.finished === b.finished &&
    sameList(a.ips, b.ips) &&
    sameLabels(a.labels, b.labels) &&
    sameList(a.ports.map(portText), b.ports.map(portText))
  );
}

export const sameNode = (a: NodeFacts, b: NodeFacts): boolean =>
  sameList(a.ips, b.ips) && sameLabels(a.labels, b.labels);

export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.namespace === b.namespace && a.pod === b.pod && a.uid === b.uid && sameList(a.ips, b.ips);
}

export const sameIps = (a: readonly Ip[], b: readonly Ip[]): boolean => a === b || sameList(a, b);

const sameList = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((item, i) => item === b[i]);

const portText = ({ name, protocol, port }: PodFacts['ports'][number]): string => `${name} ${protocol} ${port}`;
