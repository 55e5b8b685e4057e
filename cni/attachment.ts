// One pod interface that was wired: what the agent needs to know of it to enforce policy and to route.
import type { Assignment } from '../ipam/assignment.ts';
import { type Handle, partsOf } from '../ipam/handle.ts';
import type { Ip } from '../lib/ip.ts';
import type { IfName } from '../lib/linux/if-name.ts';

/** `handle` is its identity: two sandboxes of one pod have the same `hostIfName` and different handles. */
export type Attachment = {
  readonly handle: Handle;
  readonly containerId: string;
  /** Name inside the pod. */
  readonly ifName: IfName;
  /** Path of the pod's network namespace; it may be gone. */
  readonly netns: string;
  readonly namespace: string;
  readonly pod: string;
  /** Pod uid; absent when the runtime did not tell it. */
  readonly uid?: string;
  readonly hostIfName: IfName;
  readonly ips: readonly Ip[];
  /** Hardware address inside the pod; empty when it is not known any more. */
  readonly mac: string;
};

/** What the agent serves to CNI. */
export type Endpoints = {
  /** Resolves when the pod's rules and then its routes are in the kernel. @throws Error with the reason */
  readonly attach: (attachment: Attachment) => Promise<void>;
  /**
   * Resolves when the rules and routes of this handle are gone. Another handle with the same `hostIfName` is a newer
   * sandbox of the same pod and stays as it is.
   */
  readonly detach: (attachment: Attachment) => Promise<void>;
  /** What is not in the kernel as it should be, in words; empty: all is well. */
  readonly check: (attachment: Attachment) => readonly string[];
};

/** The attachment that an assignment of the journal belongs to. */
export function attachmentOf(assignment: Assignment): Attachment {
  const { handle, netns, namespace, pod, uid, hostIfName, ips, mac } = assignment;
  const { containerId, ifName } = partsOf(handle);
  return {
    handle,
    containerId,
    ifName,
    netns,
    namespace,
    pod,
    ...(uid === undefined ? {} : { uid }),
    hostIfName,
    ips,
    mac: mac ?? '',
  };
}
