// Tables of the messages of gobgpd 3.x (package `apipb`: gobgp.proto, attribute.proto), with the fields we use.
import { any, bool, int, message, messages, nested, string, strings, uint, uints } from '../wire/message.ts';

export const family = message({ afi: uint(1), safi: uint(2) });
const timestamp = message({ seconds: int(1) });

const gracefulRestart = message({
  enabled: bool(1),
  restartTime: uint(2),
  deferralTime: uint(4),
  notificationEnabled: bool(5),
});

export const global = message({
  asn: uint(1),
  routerId: string(2),
  listenPort: int(3),
  listenAddresses: strings(4),
  useMultiplePaths: bool(6),
});
export const globalRequest = message({ global: nested(1, global) });

export const path = message({
  nlri: nested(1, any),
  attributes: messages(2, any),
  isWithdraw: bool(5),
  family: nested(9, family),
  sourceAsn: uint(10),
  filtered: bool(12),
  stale: bool(13),
  neighborIp: string(15),
});
/** AddPathRequest; field 1 is the table, 0 is global. */
export const addPathRequest = message({ tableType: uint(1), path: nested(3, path) });
export const deletePathRequest = message({ tableType: uint(1), family: nested(3, family), path: nested(4, path) });
export const listPathRequest = message({ tableType: uint(1), family: nested(3, family) });
export const listPathResponse = message({
  destination: nested(1, message({ prefix: string(1), paths: messages(2, path) })),
});

export const prefixNlri = message({ length: uint(1), address: string(2) });
export const origin = message({ origin: uint(1) });
/** `type` 1: a set, counted as one hop. */
export const asPath = message({ segments: messages(1, message({ type: uint(1), numbers: uints(2) })) });
export const nextHop = message({ nextHop: string(1) });
export const med = message({ med: uint(1) });
export const localPref = message({ localPref: uint(1) });
export const communities = message({ communities: uints(1) });
export const mpReach = message({ family: nested(1, family), nextHops: strings(2), nlris: messages(3, any) });

const afiSafi = message({
  mpGracefulRestart: nested(
    1,
    message({
      config: nested(1, message({ enabled: bool(1) })),
      state: nested(2, message({ endOfRibReceived: bool(4) })),
    }),
  ),
  config: nested(2, message({ family: nested(1, family), enabled: bool(2) })),
  state: nested(3, message({ family: nested(1, family), received: uint(3), accepted: uint(4), advertised: uint(5) })),
});

export const peer = message({
  conf: nested(2, message({ description: string(2), neighborAddress: string(4), peerAsn: uint(5) })),
  ebgpMultihop: nested(3, message({ enabled: bool(1), ttl: uint(2) })),
  state: nested(5, message({ peerAsn: uint(6), sessionState: uint(13), flaps: uint(17) })),
  timers: nested(
    6,
    message({
      config: nested(1, message({ connectRetry: uint(1), holdTime: uint(2), keepaliveInterval: uint(3) })),
      state: nested(2, message({ uptime: nested(6, timestamp) })),
    }),
  ),
  transport: nested(7, message({ localAddress: string(1), passiveMode: bool(4), remotePort: uint(6) })),
  gracefulRestart: nested(9, gracefulRestart),
  afiSafis: messages(10, afiSafi),
});
/** AddPeerRequest and ListPeerResponse. */
export const peerEnvelope = message({ peer: nested(1, peer) });
export const listPeerRequest = message({ enableAdvertised: bool(2) });
/** DeletePeerRequest. */
export const peerAddress = message({ address: string(1) });
export const resetPeerRequest = message({ address: string(1), soft: bool(3), direction: uint(4) });

const statement = message({
  name: string(1),
  conditions: nested(2, message({ routeType: uint(8) })),
  actions: nested(3, message({ routeAction: uint(1) })),
});
const policy = message({ name: string(1), statements: messages(2, statement) });
export const addPolicyRequest = message({ policy: nested(1, policy) });
/** Without `all`, only the named statements would leave the policy. */
export const deletePolicyRequest = message({ policy: nested(1, policy), all: bool(3) });
const assignment = message({
  name: string(1),
  direction: uint(2),
  policies: messages(4, policy),
  defaultAction: uint(5),
});
/** SetPolicyAssignmentRequest and ListPolicyAssignmentResponse. */
export const assignmentEnvelope = message({ assignment: nested(1, assignment) });
export const listAssignmentRequest = message({ name: string(1), direction: uint(2) });

const watchFilter = message({ type: uint(1), init: bool(2) });
export const watchRequest = message({
  peer: nested(1, message({})),
  table: nested(2, message({ filters: messages(1, watchFilter) })),
});
export const watchResponse = message({
  peer: nested(2, message({ type: uint(1) })),
  table: nested(3, message({})),
});

export const empty = message({});
