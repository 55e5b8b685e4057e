// The key of an assignment: which network attached which interface of which container.
import type { Brand } from '../lib/brand.ts';
import type { IfName } from '../lib/linux/if-name.ts';

/** `<network>.<containerId>.<ifName>`; equal exactly when all three parts are equal. */
export type Handle = Brand<string, 'Handle'>;

export type Attachee = {
  /** `name` of the CNI network configuration. */
  readonly network: string;
  /** CNI_CONTAINERID. */
  readonly containerId: string;
  /** CNI_IFNAME, the name inside the pod. */
  readonly ifName: string;
};

/** Namespace of containers that their runtime names no pod for; the pod has the name of the container. */
export const CONTAINER_NAMESPACE = 'margay-containers';

/** Dots inside the first two parts are written `%2E`, so that no two attachments share a handle (CNI SPEC 1.1 §2). */
export const handleOf = ({ network, containerId, ifName }: Attachee): Handle =>
  `${escapePart(network)}.${escapePart(containerId)}.${ifName}` as Handle;

const escapePart = (part: string): string => part.replaceAll('%', '%25').replaceAll('.', '%2E');

/** The parts of a handle, as they went into `handleOf()`. */
export function partsOf(handle: Handle): {
  readonly network: string;
  readonly containerId: string;
  readonly ifName: IfName;
} {
  const [network = '', containerId = '', ...rest] = handle.split('.');
  // An interface name may hold dots itself; it was a valid one when the handle was made.
  return { network: unescapePart(network), containerId: unescapePart(containerId), ifName: rest.join('.') as IfName };
}

const unescapePart = (part: string): string => part.replaceAll('%2E', '.').replaceAll('%25', '%');
