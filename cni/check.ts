// CHECK: is everything as ADD left it? Links, addresses, routes, kernel parameters, the address journal, and the rules.
import { familyBits, ipFamily } from '../lib/ip.ts';
import { attachmentOf } from './attachment.ts';
import { CNI_CODE, CniError } from './errors.ts';
import type { CniDeps } from './handler.ts';
import type { CniRequest } from './spec.ts';

/** @throws CniError 3 for a container that is not known, 105 with all differences */
export function check(
  { ipam, wiring, endpoints }: CniDeps,
  { handle, containerId, ifName, netns, config }: Extract<CniRequest, { kind: 'check' }>,
): void {
  const assignment = ipam.find(handle);
  if (assignment === undefined) {
    throw new CniError(
      CNI_CODE.unknownContainer,
      `Cannot check container "${containerId}": interface "${ifName}" is not attached, expected an ADD before`,
    );
  }
  const attachment = attachmentOf(assignment);
  const { ips, namespace, pod, hostIfName } = attachment;
  const differences: string[] = [];
  if (assignment.state !== 'attached') differences.push('its ADD did not end');

  const told = config.prevResult?.ips?.map(({ address }) => address);
  for (const address of ips.map((ip) => `${ip}/${familyBits(ipFamily(ip))}`)) {
    if (told !== undefined && !told.includes(address)) differences.push(`address ${address} is not in prevResult`);
  }
  // A plugin after us may have given the interface another MAC; the final result knows.
  const inside = config.prevResult?.interfaces?.find(({ name, sandbox }) => name === ifName && (sandbox ?? '') !== '');
  const mac = inside?.mac?.toLowerCase() ?? assignment.mac;
  const outside = config.prevResult?.interfaces?.find(
    ({ name, sandbox }) => name === hostIfName && (sandbox ?? '') === '',
  );
  // Of what ADD gave it: what the uplink has by now says nothing about a pod that was there before.
  const [mtu, hostMtu] = [inside?.mtu ?? assignment.mtu, outside?.mtu ?? assignment.mtu];
  differences.push(
    ...wiring.checkPod({
      handle,
      netns,
      ifName,
      hostIfName,
      ips,
      ...(mac === undefined ? {} : { mac }),
      ...(mtu === undefined ? {} : { mtu }),
      ...(hostMtu === undefined ? {} : { hostMtu }),
    }),
  );
  differences.push(...endpoints.check(attachment));

  if (differences.length === 0) return;
  throw new CniError(
    CNI_CODE.different,
    `Cannot confirm pod "${namespace}/${pod}": ${differences[0]}`,
    differences.join('; '),
  );
}
