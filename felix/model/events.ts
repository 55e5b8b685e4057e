// Everything that can happen to the agent. The model accepts these in any order, repeated or reversed.
import type { PeerState, RibPath } from '../../bgp/model/types.ts';
import type { Attachment } from '../../cni/attachment.ts';
import type { Resource, ResourceKey } from '../../datastore/resources/index.ts';
import type { Change } from '../../lib/change.ts';
import type { Cidr } from '../../lib/cidr.ts';
import type { Route } from '../../lib/linux/routes.ts';
import type { LearnedRoutes } from './learned.ts';

export type Event = DatastoreEvent | EndpointEvent | RoutingEvent;

export type DatastoreEvent =
  /** From the datastore; `error` says why a present object cannot be used as it is, the value then what is in force of it. */
  | {
      readonly kind: 'resource';
      readonly change: Change<ResourceKey, Resource>;
      readonly error?: string;
      readonly version: string;
    }
  /** The datastore's snapshot is complete. */
  | { readonly kind: 'in-sync'; readonly version: string };

export type EndpointEvent =
  /** A pod was wired, ahead of the watch. */
  | { readonly kind: 'attached'; readonly attachment: Attachment }
  /** A pod's wiring goes; a late word about a sandbox that was replaced changes nothing. */
  | { readonly kind: 'detached'; readonly attachment: Attachment };

export type RoutingEvent =
  /** The blocks that this node owns now. */
  | { readonly kind: 'blocks'; readonly blocks: readonly Cidr[] }
  /** Subnets on the node's own interfaces. */
  | { readonly kind: 'connected'; readonly subnets: readonly Cidr[] }
  /** The routes of the main table that are not ours, by which next hops are reached. */
  | { readonly kind: 'fib'; readonly routes: readonly Route[] }
  /** Learned routes that the kernel had when the agent started. */
  | { readonly kind: 'kernel-routes'; readonly routes: LearnedRoutes }
  | { readonly kind: 'bgp-up' }
  | { readonly kind: 'bgp-down'; readonly why: string }
  /** The speaker's whole table. */
  | { readonly kind: 'rib'; readonly paths: readonly RibPath[] }
  /** Some prefixes of it; one without paths is gone. */
  | { readonly kind: 'rib-part'; readonly prefixes: ReadonlyMap<Cidr, readonly RibPath[]> }
  | { readonly kind: 'peers'; readonly peers: readonly PeerState[] }
  /** The stale timer ran out. */
  | { readonly kind: 'stale-timeout' };
