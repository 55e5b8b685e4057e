// CHECK: is everything as ADD left it? Links, addresses, routes, kernel parameters, the address journal, and the rules.
// Plugins behind us may have changed what is ours; `prevResult`, the result of the last of them, tells (CNI SPEC 1.1 CHECK).
import { type Family, familyBits, ipFamily, parseIp } from '../lib/ip.ts';
import { attachmentOf } from './attachment.ts';
import { CNI_CODE, CniError } from './errors.ts';
import type { CniDeps } from './handler.ts';
import { familiesOf, GATEWAYS } from './pod-side.ts';
import type { CniRequest, NetConf } from './spec.ts';

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

  const { prevResult } = config;
  const told = prevResult?.ips?.map(({ address }) => canonical(address));
  for (const address of ips.map((ip) => `${ip}/${familyBits(ipFamily(ip))}`)) {
    if (told !== undefined && !told.includes(address)) differences.push(`address ${address} is not in prevResult`);
  }
  const inside = prevResult?.interfaces?.find(({ name, sandbox }) => name === ifName && (sandbox ?? '') !== '');
  const outside = prevResult?.interfaces?.find(({ name, sandbox }) => name === hostIfName && (sandbox ?? '') === '');
  const mac = inside?.mac?.toLowerCase() ?? assignment.mac;
  // Of what ADD gave it: what the uplink has by now says nothing about a pod that was there before.
  const [mtu, hostMtu] = [inside?.mtu ?? assignment.mtu, outside?.mtu ?? assignment.mtu];
  differences.push(
    ...wiring.checkPod({
      netns,
      ifName,
      hostIfName,
      ips,
      others: told ?? [],
      // With the MAC of a link the kernel forgets what is written down of its neighbours (neigh_changeaddr()).
      neighbours: mac === assignment.mac ? familiesOf(ips) : [],
      defaultRoutes: familiesOf(ips).filter((family) => hasOurDefault(prevResult, family)),
      ...(mac === undefined ? {} : { mac }),
      ...(mtu === undefined ? {} : { mtu }),
      ...(hostMtu === undefined ? {} : { hostMtu }),
    }),
  );
  differences.push(...endpoints.check(attachment));

  const [first, ...others] = differences;
  if (first === undefined) return;
  // Runtimes print both, one after the other.
  const details = [...others, 'What the agent does not repair is right again when the pod is recreated'].join('; ');
  throw new CniError(CNI_CODE.different, `Cannot confirm pod "${namespace}/${pod}": ${first}`, details);
}

/** As the kernel's addresses are printed here; what is no address stays as it is, and is none of them. */
function canonical(address: string): string {
  const [text = '', length = ''] = address.split('/');
  const ip = parseIp(text);
  return ip.ok ? `${ip.value}/${length}` : address;
}

const DEFAULT: Readonly<Record<Family, string>> = { 4: '0.0.0.0/0', 6: '::/0' };

// A plugin that sent the pod another way lists its own route, or none. Without a result all is as we left it.
const hasOurDefault = (result: NetConf['prevResult'], family: Family): boolean =>
  result === undefined ||
  (result.routes ?? []).some(
    ({ dst, gw = GATEWAYS[family] }) => dst === DEFAULT[family] && gw.toLowerCase() === GATEWAYS[family],
  );
