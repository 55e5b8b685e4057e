// What a NodeStatus says, out of the documents about BGP. Pure.
import type { BgpPeersView, BgpPeerView, BgpRoutesView, BgpRouteView } from '../bgp/view.ts';
import type { NodeStatus, NodeStatusCondition } from '../datastore/resources/node-status.ts';

type Status = NonNullable<NodeStatus['status']>;
type Views = {
  readonly peers: BgpPeersView;
  /** Absent: not asked for. */
  readonly routes?: BgpRoutesView;
  /** RFC 3339. */
  readonly nowText: string;
};

/** The new status of an object, with the classes that it asks for. */
export function statusOf({ spec, status }: NodeStatus, { peers, routes, nowText }: Views): Status {
  const { connected, asn } = peers;
  const state = connected ? 'Ready' : 'NotReady';
  return {
    lastUpdated: nowText,
    conditions: conditionsOf(peers).map((next) => {
      const before = status?.conditions?.find(({ type }) => type === next.type);
      const lastTransitionTime = before?.status === next.status ? before.lastTransitionTime : nowText;
      return { ...next, lastTransitionTime };
    }),
    ...(spec.classes.includes('Agent') && { agent: { gobgp: { state, ...(asn !== undefined && { asNumber: asn }) } } }),
    ...(spec.classes.includes('BGP') && { bgp: sessionsOf(peers.peers) }),
    ...(routes !== undefined && { routes: routesOf(routes.routes, peers.peers) }),
  };
}

type Condition = Pick<NodeStatusCondition, 'type' | 'status' | 'reason' | 'message'>;

function conditionsOf({ connected, why, drain, peers }: BgpPeersView): readonly Condition[] {
  const down = peers.filter(({ state }) => state !== 'established');
  const told = down.map(({ name, hints }) => `${name}: ${hints[0] ?? 'no session yet'}`);
  return [
    connected
      ? { type: 'BGPConnected', status: 'True', reason: 'Connected', message: 'gobgpd answers' }
      : { type: 'BGPConnected', status: 'False', reason: 'NoGobgpd', message: why ?? 'gobgpd does not answer' },
    down.length === 0
      ? { type: 'SessionsEstablished', status: 'True', reason: 'AllUp', message: `${peers.length} sessions` }
      : { type: 'SessionsEstablished', status: 'False', reason: 'SessionsDown', message: told.join('; ') },
    drain === undefined
      ? { type: 'Draining', status: 'False', reason: 'TakesTraffic', message: 'the node takes traffic' }
      : { type: 'Draining', status: 'True', reason: 'Drain', message: `its paths are ${drain}` },
  ];
}

function sessionsOf(peers: readonly BgpPeerView[]): NonNullable<Status['bgp']> {
  const v4 = peers.filter(({ address }) => !address.includes(':'));
  const v6 = peers.filter(({ address }) => address.includes(':'));
  const up = (some: readonly BgpPeerView[]): number => some.filter(({ state }) => state === 'established').length;
  return {
    numberEstablishedV4: up(v4),
    numberNotEstablishedV4: v4.length - up(v4),
    numberEstablishedV6: up(v6),
    numberNotEstablishedV6: v6.length - up(v6),
    peersV4: v4.map(peerOf),
    peersV6: v6.map(peerOf),
  };
}

const peerOf = ({ address, type, state, since, hints: [hint] }: BgpPeerView) => ({
  peerIP: address,
  type,
  state: `${state.charAt(0).toUpperCase()}${state.slice(1)}`,
  ...(since === undefined ? {} : { since }),
  ...(hint === undefined ? {} : { hint }),
});

/** The paths that are in use, and the kernel's routes. */
function routesOf(routes: readonly BgpRouteView[], peers: readonly BgpPeerView[]): NonNullable<Status['routes']> {
  const mesh = new Set(peers.filter(({ type }) => type === 'NodeMesh').map(({ address }) => address));
  const rows = routes
    .filter(({ type, state }) => type === 'FIB' || state === 'installed' || state === 'originated')
    .map(({ type, prefix, nextHops, fromAddress, state, why }) => ({
      type,
      destination: prefix,
      ...(nextHops.length === 0 ? {} : { gateway: nextHops.join(',') }),
      ...(why?.startsWith('dev ') === true ? { interface: why.slice('dev '.length) } : {}),
      learnedFrom:
        fromAddress === undefined
          ? { sourceType: state === 'endpoint' ? ('Direct' as const) : sourceOf(state) }
          : { sourceType: mesh.has(fromAddress) ? ('NodeMesh' as const) : ('BGPPeer' as const), peerIP: fromAddress },
    }));
  const ofFamily = (six: boolean) => rows.filter(({ destination }) => destination.includes(':') === six);
  return { routesV4: ofFamily(false), routesV6: ofFamily(true) };
}

const sourceOf = (state: BgpRouteView['state']): 'BGPPeer' | 'Static' =>
  state === 'learned' || state === 'stale' ? 'BGPPeer' : 'Static';
