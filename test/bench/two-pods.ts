// A node and two pods behind it as the agent would wire them: host ends without address, /32 routes, proxy ARP replaced by
// fixed neighbours so that nothing but forwarding is measured.
import type { Ip } from '../../lib/ip.ts';
import { hostIfName } from '../../lib/linux/if-name.ts';
import { inNetns } from '../../lib/linux/netns.ts';
import { type TestNetns, testNetns } from '../support/netns.ts';
import { openRawSender, openUdpReceiver, type RawSender, type UdpReceiver } from './raw-socket.ts';
import type { Scope } from './types.ts';

export type TwoPods = { readonly node: TestNetns; readonly sender: RawSender; readonly receiver: UdpReceiver };

export const NAMESPACE = 'bench';
export const SENDER_IP = '10.244.0.1' as Ip;
export const RECEIVER_IP = '10.244.0.2' as Ip;
export const RECEIVER_PORT = 4000;

const HOST_MAC = 'ee:ee:ee:ee:ee:ee';
const GATEWAY = '169.254.1.1';

/** Pods `sender` and `receiver` of namespace `bench`. */
export async function twoPods(scope: Scope, label: string): Promise<TwoPods> {
  const node = await testNetns(scope, label);
  await node.exec('sysctl', '-q', '-w', 'net.ipv4.ip_forward=1');
  const [sender, receiver] = await Promise.all([
    pod(scope, node, { name: 'sender', ip: SENDER_IP, mac: '02:00:00:00:00:01' }),
    pod(scope, node, { name: 'receiver', ip: RECEIVER_IP, mac: '02:00:00:00:00:02' }),
  ]);
  const send = inNetns(sender.path, openRawSender);
  const receive = inNetns(receiver.path, () => openUdpReceiver(RECEIVER_IP, RECEIVER_PORT));
  scope.after(send.close);
  scope.after(receive.close);
  return { node, sender: send, receiver: receive };
}

async function pod(
  scope: Scope,
  node: TestNetns,
  { name, ip, mac }: { readonly name: string; readonly ip: Ip; readonly mac: string },
): Promise<TestNetns> {
  const netns = await testNetns(scope, name);
  const host = hostIfName(NAMESPACE, name);
  const veth = `link add ${host} address ${HOST_MAC} type veth peer name eth0 address ${mac} netns ${netns.name}`;
  await node.exec('ip', ...veth.split(' '));
  await node.exec('ip', 'link', 'set', host, 'up');
  await netns.exec('ip', 'link', 'set', 'eth0', 'up');
  await netns.exec('ip', 'address', 'add', `${ip}/32`, 'dev', 'eth0');
  await netns.exec('ip', 'route', 'add', GATEWAY, 'dev', 'eth0');
  await netns.exec('ip', 'route', 'add', 'default', 'via', GATEWAY);
  await netns.exec('ip', 'neigh', 'add', GATEWAY, 'lladdr', HOST_MAC, 'dev', 'eth0', 'nud', 'permanent');
  await node.exec('ip', 'route', 'add', `${ip}/32`, 'dev', host);
  await node.exec('ip', 'neigh', 'add', ip, 'lladdr', mac, 'dev', host, 'nud', 'permanent');
  return netns;
}
