// Where BGP speakers and their BFD listen, as elements of sets of protocol and port.
import { BGP_PORT } from '../../bgp/model/speakers.ts';

export type PortKey = readonly [protocol: 'tcp' | 'udp', port: number];

/** BFD on one hop and its echo (RFC 5881 section 4), and on several (RFC 5883 section 5). */
const BFD_PORTS = [3784, 3785, 4784];

/** Those of BFD and BGP's own, also where the speaker listens elsewhere, until it does. */
export const BGP_PORT_KEYS: readonly PortKey[] = [
  ['tcp', BGP_PORT],
  ...BFD_PORTS.map((port): PortKey => ['udp', port]),
];
