// Tables of the messages whose fields have the same numbers in both generations of gobgpd's API (package `apipb` up to
// 3.x, `api` since 4.0: gobgp.proto, attribute.proto, nlri.proto), with the fields we use. Fields that only 4.x knows
// stand here too: 3.x passes over them and never sends them. Paths differ, so they travel as bytes here. Most enums
// begin one higher in 4.x; their numbers are made in `codec.ts`, `peers.ts` and `policies.ts`.
import {
  bool,
  bytes,
  bytesList,
  int,
  message,
  messages,
  nested,
  string,
  strings,
  uint,
  uints,
} from '../wire/message.ts';

export const empty = message({});
export const family = message({ afi: uint(1), safi: uint(2) });

export const global = message({
  asn: uint(1),
  routerId: string(2),
  listenPort: int(3),
  listenAddresses: strings(4),
  useMultiplePaths: bool(6),
});
/** StartBgpRequest and GetBgpResponse. */
export const globalEnvelope = message({ global: nested(1, global) });

export const addPathRequest = message({ tableType: uint(1), path: bytes(3) });
export const deletePathRequest = message({ tableType: uint(1), family: nested(3, family), path: bytes(4) });
export const addPathStreamRequest = message({ tableType: uint(1), paths: bytesList(3) });
const lookup = message({ prefix: string(1), type: uint(2) });
/** `name`: address of the peer, for its adjacent tables. */
export const listPathRequest = message({
  tableType: uint(1),
  name: string(2),
  family: nested(3, family),
  prefixes: messages(4, lookup),
  enableFiltered: bool(6),
});
export const listPathResponse = message({
  destination: nested(1, message({ prefix: string(1), paths: bytesList(2) })),
});

export const prefixNlri = message({ length: uint(1), address: string(2) });
export const origin = message({ origin: uint(1) });
export const asPath = message({ segments: messages(1, message({ type: uint(1), numbers: uints(2) })) });
export const nextHop = message({ nextHop: string(1) });
export const med = message({ med: uint(1) });
export const localPref = message({ localPref: uint(1) });
export const communities = message({ communities: uints(1) });
export const largeCommunities = message({
  communities: messages(1, message({ global: uint(1), local1: uint(2), local2: uint(3) })),
});

const enabled = message({ enabled: bool(1) });
const afiSafi = message({
  mpGracefulRestart: nested(
    1,
    message({ config: nested(1, enabled), state: nested(2, message({ endOfRibReceived: bool(4) })) }),
  ),
  config: nested(2, message({ family: nested(1, family), enabled: bool(2) })),
  state: nested(3, message({ family: nested(1, family), received: uint(3), accepted: uint(4), advertised: uint(5) })),
  prefixLimits: nested(7, message({ family: nested(1, family), maxPrefixes: uint(2) })),
});

export const peer = message({
  conf: nested(
    2,
    message({
      authPassword: string(1),
      description: string(2),
      localAsn: uint(3),
      neighborAddress: string(4),
      peerAsn: uint(5),
      allowOwnAsn: uint(13),
    }),
  ),
  ebgpMultihop: nested(3, message({ enabled: bool(1), ttl: uint(2) })),
  routeReflector: nested(4, message({ client: bool(1), clusterId: string(2) })),
  state: nested(
    5,
    message({
      messages: nested(4, message({ received: nested(1, message({ open: uint(3) })) })),
      sessionState: uint(13),
      adminState: uint(15),
      flaps: uint(17),
      /** google.protobuf.Any in 3.x; 4.x has other messages here. */
      remoteCapabilities: messages(18, message({ typeUrl: string(1) })),
      disconnectReason: uint(21),
      disconnectMessage: string(22),
      bfd: nested(23, message({ sessionState: uint(1) })),
    }),
  ),
  timers: nested(
    6,
    message({
      config: nested(
        1,
        message({ connectRetry: uint(1), holdTime: uint(2), keepaliveInterval: uint(3), idleHoldAfterReset: uint(5) }),
      ),
      state: nested(2, message({ uptime: nested(6, message({ seconds: int(1) })) })),
    }),
  ),
  transport: nested(7, message({ localAddress: string(1), passiveMode: bool(4), remotePort: uint(6) })),
  gracefulRestart: nested(
    9,
    message({ enabled: bool(1), restartTime: uint(2), deferralTime: uint(4), notificationEnabled: bool(5) }),
  ),
  afiSafis: messages(10, afiSafi),
  ttlSecurity: nested(11, message({ enabled: bool(1), ttlMin: uint(2) })),
  /** Since 4.5. Intervals in microseconds. */
  bfd: nested(
    12,
    message({ enabled: bool(1), port: uint(2), transmit: uint(3), receive: uint(4), multiplier: uint(5) }),
  ),
});
/** AddPeerRequest and ListPeerResponse. */
export const peerEnvelope = message({ peer: nested(1, peer) });
export const listPeerRequest = message({ enableAdvertised: bool(2) });
/** DeletePeerRequest. */
export const peerAddress = message({ address: string(1) });
export const resetPeerRequest = message({
  address: string(1),
  communication: string(2),
  soft: bool(3),
  direction: uint(4),
});

const prefixRange = message({ prefix: string(1), min: uint(2), max: uint(3) });
export const definedSet = message({
  type: uint(1),
  name: string(2),
  list: strings(3),
  prefixes: messages(4, prefixRange),
});
/** AddDefinedSetRequest and ListDefinedSetResponse. */
export const definedSetEnvelope = message({ definedSet: nested(1, definedSet) });
/** Without `all`, only the named members would leave the set. */
export const deleteDefinedSetRequest = message({ definedSet: nested(1, definedSet), all: bool(2) });
export const listDefinedSetRequest = message({ type: uint(1) });

const matchSet = message({ type: uint(1), name: string(2) });
const communityAction = message({ type: uint(1), communities: strings(2) });
const statement = message({
  name: string(1),
  conditions: nested(
    2,
    message({
      prefixSet: nested(1, matchSet),
      neighborSet: nested(2, matchSet),
      asPathSet: nested(4, matchSet),
      communitySet: nested(5, matchSet),
      routeType: uint(8),
      largeCommunitySet: nested(9, matchSet),
      nextHops: strings(10),
    }),
  ),
  actions: nested(
    3,
    message({
      routeAction: uint(1),
      community: nested(2, communityAction),
      med: nested(3, message({ type: uint(1), value: int(2) })),
      asPrepend: nested(4, message({ asn: uint(1), repeat: uint(2) })),
      nextHop: nested(6, message({ self: bool(2), unchanged: bool(3) })),
      localPref: nested(7, message({ value: uint(1) })),
      largeCommunity: nested(8, communityAction),
    }),
  ),
});
export const policy = message({ name: string(1), statements: messages(2, statement) });
/** AddPolicyRequest and ListPolicyResponse. */
export const policyEnvelope = message({ policy: nested(1, policy) });
/** Without `all`, only the named statements would leave the policy. */
export const deletePolicyRequest = message({ policy: nested(1, policy), all: bool(3) });
export const listPolicyRequest = message({ name: string(1) });
/** Of a listed policy, its name alone. */
export const listPolicyResponse = message({ policy: nested(1, message({ name: string(1) })) });
/** SetPolicyAssignmentRequest and ListPolicyAssignmentResponse. */
export const assignmentEnvelope = message({
  assignment: nested(
    1,
    message({
      name: string(1),
      direction: uint(2),
      policies: messages(4, message({ name: string(1) })),
      defaultAction: uint(5),
    }),
  ),
});
export const listAssignmentRequest = message({ name: string(1), direction: uint(2) });

export const watchRequest = message({
  peer: nested(1, empty),
  table: nested(2, message({ filters: messages(1, message({ type: uint(1), init: bool(2) })) })),
});
export const watchResponse = message({
  peer: nested(2, message({ type: uint(1) })),
  table: nested(3, message({ paths: bytesList(2) })),
});
