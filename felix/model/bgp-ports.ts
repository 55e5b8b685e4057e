// The TCP ports of BGP that the cluster's objects name, in order.
import { parsePeerAddress } from '../../datastore/resources/peer-ip.ts';
import type { Resources } from './resources.ts';

/** Where nodes listen, this one and others, and where BGPPeers say that routers do. */
export function allBgpPorts(objects: Pick<Resources, 'bgpConfiguration' | 'nodeConfigurations' | 'peers'>) {
  const listening = [objects.bgpConfiguration(), ...objects.nodeConfigurations()].flatMap(
    (configuration) => configuration?.spec.listenPort ?? [],
  );
  const named = objects.peers().flatMap(({ spec }) => {
    const peer = spec.peerIP === undefined ? undefined : parsePeerAddress(spec.peerIP);
    return peer?.ok && peer.value.port !== undefined ? [peer.value.port] : [];
  });
  return inOrder([...listening, ...named]);
}

const inOrder = (ports: readonly number[]): readonly number[] => [...new Set(ports)].sort((a, b) => a - b);
