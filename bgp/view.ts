// What a node's agent tells about BGP, for people and programs that ask over its control socket. Travels as JSON.
import { z } from 'zod';
import { cidrSchema, ipSchema } from '../datastore/resources/scalars.ts';

const family = z.union([z.literal(4), z.literal(6)]);

const peerSchema = z.object({
  /** Of the node or the BGPPeer. */
  name: z.string(),
  address: ipSchema,
  asn: z.int(),
  /** `Reflector`: a node of the cluster that is a route reflector; else as Calico has them. */
  type: z.enum(['NodeMesh', 'NodePeer', 'GlobalPeer', 'Reflector']),
  /** RFC 4271 §8.2.2; `unknown`: gobgpd has no such peer yet. */
  state: z.enum(['idle', 'connect', 'active', 'opensent', 'openconfirm', 'established', 'unknown']),
  /** Since when there is a session, or none; RFC 3339. Absent: gobgpd has no such peer yet. */
  since: z.string().exactOptional(),
  /** How often the session was lost. */
  flaps: z.int(),
  families: z.array(
    z.object({
      family,
      received: z.int(),
      /** What filters and import rules let through. */
      accepted: z.int(),
      advertised: z.int(),
      endOfRib: z.boolean(),
    }),
  ),
  /** Prefixes of one family that it may send. Absent: any number. */
  limit: z.int().exactOptional(),
  overLimit: z.boolean(),
  /** Absent: none is wanted. `absent`: wanted, and gobgpd has none. */
  bfd: z.enum(['admin-down', 'down', 'init', 'up', 'absent']).exactOptional(),
  /** Why the last session ended. Absent: none did, or gobgpd does not tell (before 4.0). */
  lastError: z.string().exactOptional(),
  /** What is the matter, and what to do. */
  hints: z.array(z.string()),
});

/** The document of `GET /v1/bgp/peers`. */
export const bgpPeersSchema = z.object({
  node: z.string(),
  /** Absent: the node cannot speak BGP. */
  asn: z.int().exactOptional(),
  /** Whether gobgpd answers; `why` it does not. */
  connected: z.boolean(),
  why: z.string().exactOptional(),
  /** Every peer has told all it knows, or the stale timer ran out. */
  settled: z.boolean(),
  /** Absent: the node takes traffic. */
  drain: z.enum(['announced', 'withdrawn']).exactOptional(),
  peers: z.array(peerSchema),
});

const pathFields = {
  prefix: cidrSchema,
  nextHops: z.array(ipSchema),
  /** Of the peer: its name. Absent: it originates here, or nobody knows any more. */
  from: z.string().exactOptional(),
  fromAddress: ipSchema.exactOptional(),
  asPath: z.array(z.int()),
  /** `high:low`, `global:local:local`. */
  communities: z.array(z.string()),
  localPref: z.int().exactOptional(),
};

const routeSchema = z.object({
  /** `FIB`: a route of the kernel; `RIB`: a path of gobgpd's table. */
  type: z.enum(['FIB', 'RIB']),
  ...pathFields,
  /**
   * Of the RIB: `originated` here; `installed`, alone or as one of equal paths; `not-best`; `rejected` by a rule;
   * `unresolved`: nothing leads to its next hop; `failed`: the kernel refused it. Of the FIB: `learned`, `own-block`,
   * `endpoint`, `static`; `stale`: of an earlier life, kept until BGP has settled.
   */
  state: z.enum([
    'originated',
    'installed',
    'not-best',
    'rejected',
    'unresolved',
    'failed',
    'learned',
    'own-block',
    'endpoint',
    'static',
    'stale',
  ]),
  why: z.string().exactOptional(),
});

/** The document of `GET /v1/bgp/routes`. */
export const bgpRoutesSchema = z.object({ node: z.string(), routes: z.array(routeSchema) });

/** The document of `GET /v1/bgp/advertised`. */
export const bgpAdvertisedSchema = z.object({
  node: z.string(),
  paths: z.array(
    z.object({
      /** Name of the peer that is told. */
      to: z.string(),
      toAddress: ipSchema,
      /** False: it is what the peer would be told if there were a session. */
      sent: z.boolean(),
      ...pathFields,
    }),
  ),
});

/** The document of `GET /v1/bgp/explain?prefix=PREFIX`: a story, in order. */
export const bgpExplainSchema = z.object({
  node: z.string(),
  prefix: cidrSchema,
  steps: z.array(z.object({ title: z.string(), lines: z.array(z.string()) })),
});

export type BgpPeersView = z.output<typeof bgpPeersSchema>;
export type BgpPeerView = BgpPeersView['peers'][number];
export type BgpRoutesView = z.output<typeof bgpRoutesSchema>;
export type BgpRouteView = BgpRoutesView['routes'][number];
export type BgpAdvertisedView = z.output<typeof bgpAdvertisedSchema>;
export type BgpExplainView = z.output<typeof bgpExplainSchema>;
