// The calls of gobgpd 3.x, service `apipb.GobgpApi`.
import type { RibPath } from '../../model/types.ts';
import type { Call, Codec, ListedPeer } from '../codec.ts';
import { WireError } from '../wire/reader.ts';
import * as m from './messages.ts';
import { familyOf, pathIn, pathOut } from './paths.ts';
import { peerIn, peerOut } from './peers.ts';
import { assignmentIn, assignmentOut, EXPORT, GLOBAL_TABLE, policyOut } from './policies.ts';

/** TableType GLOBAL. */
const TABLE = 0;
/** ResetPeerRequest.SoftResetDirection OUT. */
const OUT = 1;
/** WatchEventRequest.Table.Filter BEST. */
const BEST = 0;

export const v3: Codec = {
  getBgp: call(
    'GetBgp',
    () => m.empty.encode({}),
    (bytes) => {
      const {
        asn = 0,
        routerId = '',
        listenPort = 0,
        listenAddresses = [],
      } = m.globalRequest.decode(bytes).global ?? {};
      return { asn, routerId, listenPort, listenAddresses };
    },
  ),
  startBgp: call(
    'StartBgp',
    (global) => m.globalRequest.encode({ global: { ...global, useMultiplePaths: true } }),
    nothing,
  ),
  addPath: call('AddPath', (input) => m.addPathRequest.encode({ tableType: TABLE, path: pathOut(input) }), nothing),
  deletePath: call(
    'DeletePath',
    (input) => {
      const path = pathOut(input);
      return m.deletePathRequest.encode({ tableType: TABLE, family: path.family, path });
    },
    nothing,
  ),
  listPath: (ownAsn) =>
    call(
      'ListPath',
      (family) => m.listPathRequest.encode({ tableType: TABLE, family: familyOf(family) }),
      (bytes) =>
        (m.listPathResponse.decode(bytes).destination?.paths ?? [])
          .map((path) => pathIn(path, ownAsn))
          .filter((path): path is RibPath => path !== undefined),
    ),
  addPeer: call('AddPeer', ({ peer, note }) => m.peerEnvelope.encode({ peer: peerOut(peer, note) }), nothing),
  deletePeer: call('DeletePeer', (address) => m.peerAddress.encode({ address }), nothing),
  listPeer: (nowSeconds) =>
    call(
      'ListPeer',
      () => m.listPeerRequest.encode({ enableAdvertised: true }),
      (bytes): ListedPeer => {
        const { peer } = m.peerEnvelope.decode(bytes);
        const listed = peer === undefined ? undefined : peerIn(peer, nowSeconds);
        if (listed === undefined) throw new WireError('Cannot read peer: no neighbor_address, expected an address');
        return listed;
      },
    ),
  softResetOut: call(
    'ResetPeer',
    (address) => m.resetPeerRequest.encode({ address, soft: true, direction: OUT }),
    nothing,
  ),
  addExportPolicy: call('AddPolicy', (input) => m.addPolicyRequest.encode(policyOut(input)), nothing),
  deletePolicy: call('DeletePolicy', (name) => m.deletePolicyRequest.encode({ policy: { name }, all: true }), nothing),
  setExportAssignment: call(
    'SetPolicyAssignment',
    (input) => m.assignmentEnvelope.encode(assignmentOut(input)),
    nothing,
  ),
  listExportAssignment: call(
    'ListPolicyAssignment',
    () => m.listAssignmentRequest.encode({ name: GLOBAL_TABLE, direction: EXPORT }),
    (bytes) => assignmentIn(m.assignmentEnvelope.decode(bytes)),
  ),
  watch: call(
    'WatchEvent',
    () => m.watchRequest.encode({ peer: {}, table: { filters: [{ type: BEST }] } }),
    (bytes) => {
      const { peer, table } = m.watchResponse.decode(bytes);
      return table !== undefined ? 'rib-changed' : peer !== undefined ? 'peer-changed' : undefined;
    },
  ),
};

function call<In, Out>(
  name: string,
  encode: (input: In) => Uint8Array,
  decode: (bytes: Uint8Array) => Out,
): Call<In, Out> {
  return { method: `/apipb.GobgpApi/${name}`, encode, decode };
}

function nothing(): void {}
