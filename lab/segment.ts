// The wire between the nodes and the ToR: a bridge in a namespace of its own, with one veth pair per member whose other
// end, eth0, is made directly in the member's namespace.
import { addNetns, ipBatch, setSysctls } from './netns.ts';
import { nodeNetns, segmentNetns, torNetns } from './paths.ts';
import { type LabSpec, OUTSIDE_ADDRESSES, SEGMENT_LENGTH } from './spec.ts';

/** Makes the namespaces of segment, ToR and nodes, and wires them. */
export async function makeSegment({ name: lab, nodes, tor }: LabSpec): Promise<void> {
  const segment = segmentNetns(lab);
  const members = [
    { netns: torNetns(lab), port: 'tor', address: tor.address, isTor: true },
    ...nodes.map(({ name, address }) => ({ netns: nodeNetns(lab, name), port: name, address, isTor: false })),
  ];
  await addNetns(lab, [segment, ...members.map(({ netns }) => netns)]);
  await Promise.all(members.map(({ netns }) => setRouterSysctls(lab, netns)));
  await ipBatch(lab, segment, [
    'link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0',
    'link set br0 addrgenmode none up',
    ...members.flatMap(({ netns, port }) => [
      `link add ${port} type veth peer name eth0 netns ${netns}`,
      `link set ${port} addrgenmode none master br0 up`,
    ]),
  ]);
  await Promise.all(
    members.map(({ netns, address, isTor }) =>
      ipBatch(lab, netns, [
        `addr add ${address}/${SEGMENT_LENGTH} dev eth0`,
        'link set eth0 up',
        ...(isTor
          ? OUTSIDE_ADDRESSES.map((outside) => `addr add ${outside}/32 dev lo`)
          : [`route add default via ${tor.address} dev eth0`]),
      ]),
    ),
  );
}

// Everything here forwards. Redirects are off because the ToR and the nodes share one segment: a redirect would make a
// node remember a path past the routes under test.
async function setRouterSysctls(lab: string, netns: string): Promise<void> {
  await setSysctls(lab, netns, ['ipv4/ip_forward', 'ipv6/conf/all/forwarding'], '1');
  const scopes = ['all', 'default'];
  await setSysctls(
    lab,
    netns,
    scopes.flatMap((scope) => [`ipv4/conf/${scope}/send_redirects`, `ipv4/conf/${scope}/accept_redirects`]),
    '0',
  );
}
