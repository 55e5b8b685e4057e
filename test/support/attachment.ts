// What an ADD of a pod tells the agent, for tests of what the agent makes of it.
import type { Attachment } from '../../cni/attachment.ts';
import { handleOf } from '../../ipam/handle.ts';
import { parseIp } from '../../lib/ip.ts';
import { hostIfName, parseIfName } from '../../lib/linux/if-name.ts';
import { unwrap } from '../../lib/result.ts';

/** `uid` absent: the runtime told none. `containerId` absent: `c1`. */
export function attachmentFor(pod: {
  readonly namespace: string;
  readonly name: string;
  readonly ip: string;
  readonly uid?: string;
  readonly containerId?: string;
}): Attachment {
  const { namespace, name, ip, uid, containerId = 'c1' } = pod;
  const ifName = unwrap(parseIfName('eth0'));
  return {
    handle: handleOf({ network: 'margay', containerId, ifName }),
    containerId,
    ifName,
    netns: `/run/netns/${name}`,
    namespace,
    pod: name,
    ...(uid === undefined ? {} : { uid }),
    hostIfName: hostIfName(namespace, name),
    ips: [unwrap(parseIp(ip))],
    mac: '',
  };
}
