// Which assignments nobody has any more, as their node sees it: no link in the kernel, no interface in the pod's network
// namespace, and no Pod in the datastore that it could be. An ADD under way looks like that for a moment.
import { type Pod, podIps } from '../../datastore/resources/pod.ts';
import type { Assignment } from '../assignment.ts';
import { partsOf } from '../handle.ts';
import type { IpamView } from '../view.ts';

export type NodeLook = Pick<IpamView, 'assignments' | 'links'> & {
  /** The Pod that the datastore has under this name. */
  readonly pod: (namespace: string, name: string) => Pod | undefined;
  /** The pod's network namespace is there and has the interface of this assignment. */
  readonly hasInterface: (assignment: Assignment) => boolean;
};

export function leakedAssignments({ assignments, links, pod, hasInterface }: NodeLook): readonly Assignment[] {
  const signed = new Set(links.map(({ handle }) => handle));
  // A link that lost its signature is still somebody's.
  const linked = new Set(links.flatMap(({ ips }) => ips));
  const isReplaced = replacedIn(
    assignments.map(({ assignment }) => assignment).filter(({ handle }) => signed.has(handle)),
  );
  return assignments
    .map(({ assignment }) => assignment)
    .filter(
      (assignment) =>
        !signed.has(assignment.handle) &&
        !assignment.ips.some((ip) => linked.has(ip)) &&
        isUnknown(assignment, pod(assignment.namespace, assignment.pod)) &&
        (isReplaced(assignment) || !hasInterface(assignment)),
    );
}

/** Of pods of one name, only a uid tells one from the other. */
function isUnknown({ uid, ips }: Assignment, pod: Pod | undefined): boolean {
  if (pod === undefined) return true;
  if (podIps(pod).some((ip) => ips.includes(ip))) return false;
  return uid !== undefined && pod.metadata.uid !== undefined && pod.metadata.uid !== uid;
}

/**
 * Whether one of `linked`, attachments with a link, came after it under the same interface name of the same network
 * namespace: an ADD refuses a name that is there, so what is there is not its interface.
 */
export function replacedIn(linked: readonly Assignment[]): (assignment: Assignment) => boolean {
  const placeOf = ({ netns, handle }: Assignment): string => `${partsOf(handle).ifName} ${netns}`;
  const newest = new Map<string, number>();
  for (const each of linked) newest.set(placeOf(each), Math.max(each.sequence, newest.get(placeOf(each)) ?? 0));
  return (assignment) => assignment.netns !== '' && (newest.get(placeOf(assignment)) ?? 0) > assignment.sequence;
}
