// What CNI needs of address management.
import type { Assignment } from '../ipam/assignment.ts';
import type { Handle } from '../ipam/handle.ts';
import type { Family, Ip } from '../lib/ip.ts';
import type { IfName } from '../lib/linux/if-name.ts';

export type AssignRequest = {
  readonly handle: Handle;
  readonly namespace: string;
  readonly pod: string;
  readonly uid?: string;
  readonly netns: string;
  readonly hostIfName: IfName;
  readonly families: readonly Family[];
};

export type AssignOutcome =
  | { readonly kind: 'assigned'; readonly assignment: Assignment }
  | { readonly kind: 'exhausted'; readonly why: string }
  | { readonly kind: 'no-pool'; readonly why: string }
  | { readonly kind: 'unavailable'; readonly why: string }
  | { readonly kind: 'taken'; readonly ip: Ip };

export type IpamPort = {
  /** The same handle gets the same addresses again. */
  readonly assign: (request: AssignRequest) => Promise<AssignOutcome>;
  /** Writes down that links, routes and rules of the handle are in place. */
  readonly markAttached: (handle: Handle, attached: { readonly mac: string }) => unknown;
  /** Frees what the handle holds; nothing to free is no error. */
  readonly release: (handle: Handle) => unknown;
  readonly find: (handle: Handle) => Assignment | undefined;
  readonly assignments: () => readonly Assignment[];
};
