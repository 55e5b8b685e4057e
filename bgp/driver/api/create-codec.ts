// The calls of gobgpd, made of what differs between its generations: the name of the service, the numbers of enums, the
// form of paths.
import type { Cidr } from '../../../lib/cidr.ts';
import { cidrFamily } from '../../../lib/cidr.ts';
import type { RibPath } from '../../model/types.ts';
import type { Call, Codec, ListedPeer, PathQuery } from '../codec.ts';
import { WireError } from '../wire/reader.ts';
import * as m from './messages.ts';
import { familyOf, type PathFormat, ribPath } from './paths.ts';
import { peerIn, peerOut } from './peers.ts';
import { DIRECTION, policyOut, setKindOut, setOut } from './policies.ts';

export type Generation = Pick<Codec, 'generation' | 'resetWithdraws'> & {
  readonly service: string;
  /** Added to the enums that begin with "unspecified" since 4.0. */
  readonly shift: 0 | 1;
  readonly paths: PathFormat;
};

/** TableType in 3.x. */
const TABLE = { global: 0, 'adj-in': 2, 'adj-out': 3 } as const;
/** ResetPeerRequest: direction in 3.x. */
const RESET = { import: 0, export: 1 } as const;
/** WatchEventRequest.Table.Filter BEST and TableLookupPrefix EXACT in 3.x. */
const BEST = 0;
const EXACT = 0;
/** The assignment that holds for all peers; gobgpd ignores those of single ones, except for clients of a route server. */
const ALL_PEERS = 'global';

export function createCodec({ service, shift, paths, ...traits }: Generation): Codec {
  const call = <In, Out>(
    name: string,
    encode: (input: In) => Uint8Array,
    decode: (bytes: Uint8Array) => Out,
  ): Call<In, Out> => ({ method: `/${service}/${name}`, encode, decode });
  const tableType = TABLE.global + shift;
  const family = ({ prefix }: { readonly prefix: Cidr }) => familyOf(cidrFamily(prefix));

  return {
    ...traits,
    getBgp: call(
      'GetBgp',
      () => m.empty.encode({}),
      (bytes) => {
        const {
          asn = 0,
          routerId = '',
          listenPort = 0,
          listenAddresses = [],
        } = m.globalEnvelope.decode(bytes).global ?? {};
        return { asn, routerId, listenPort, listenAddresses };
      },
    ),
    startBgp: call(
      'StartBgp',
      (global) => m.globalEnvelope.encode({ global: { ...global, useMultiplePaths: true } }),
      nothing,
    ),
    addPath: call('AddPath', (path) => m.addPathRequest.encode({ tableType, path: paths.encode(path) }), nothing),
    deletePath: call(
      'DeletePath',
      (path) => m.deletePathRequest.encode({ tableType, family: family(path), path: paths.encode(path) }),
      nothing,
    ),
    addPaths: call(
      'AddPathStream',
      (many) => m.addPathStreamRequest.encode({ tableType, paths: many.map(paths.encode) }),
      nothing,
    ),
    listPath: (ownAsn) =>
      call(
        'ListPath',
        ({ family, prefixes = [], adjacent }: PathQuery) =>
          m.listPathRequest.encode({
            tableType: (adjacent === undefined ? TABLE.global : TABLE[adjacent.direction]) + shift,
            name: adjacent?.peer,
            family: familyOf(family),
            prefixes: prefixes.map((prefix) => ({ prefix, type: EXACT + shift })),
          }),
        (bytes) =>
          (m.listPathResponse.decode(bytes).destination?.paths ?? [])
            .map((path) => ribPath(paths.decode(path), ownAsn))
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
          const listed = peer === undefined ? undefined : peerIn(peer, nowSeconds, shift);
          if (listed === undefined) throw new WireError('Cannot read peer: no neighbor_address, expected an address');
          return listed;
        },
      ),
    softReset: call(
      'ResetPeer',
      ({ address, direction }) =>
        m.resetPeerRequest.encode({ address, soft: true, direction: RESET[direction] + shift }),
      nothing,
    ),
    addDefinedSet: call(
      'AddDefinedSet',
      (set) => m.definedSetEnvelope.encode({ definedSet: setOut(set, shift) }),
      nothing,
    ),
    deleteDefinedSet: call(
      'DeleteDefinedSet',
      ({ kind, name }) =>
        m.deleteDefinedSetRequest.encode({ definedSet: { type: setKindOut(kind, shift), name }, all: true }),
      nothing,
    ),
    listDefinedSets: call(
      'ListDefinedSet',
      (kind) => m.listDefinedSetRequest.encode({ type: setKindOut(kind, shift) }),
      (bytes) => m.definedSetEnvelope.decode(bytes).definedSet?.name ?? '',
    ),
    addPolicy: call('AddPolicy', (policy) => m.policyEnvelope.encode({ policy: policyOut(policy, shift) }), nothing),
    deletePolicy: call(
      'DeletePolicy',
      (name) => m.deletePolicyRequest.encode({ policy: { name }, all: true }),
      nothing,
    ),
    listPolicies: call(
      'ListPolicy',
      (name) => m.listPolicyRequest.encode({ name }),
      (bytes) => m.listPolicyResponse.decode(bytes).policy?.name ?? '',
    ),
    setAssignment: call(
      'SetPolicyAssignment',
      ({ direction, policies }) =>
        m.assignmentEnvelope.encode({
          assignment: {
            name: ALL_PEERS,
            direction: DIRECTION[direction],
            policies: policies.map((name) => ({ name })),
            // RouteAction REJECT.
            defaultAction: 2,
          },
        }),
      nothing,
    ),
    listAssignment: call(
      'ListPolicyAssignment',
      (direction) => m.listAssignmentRequest.encode({ name: ALL_PEERS, direction: DIRECTION[direction] }),
      (bytes) => {
        const { assignment } = m.assignmentEnvelope.decode(bytes);
        return {
          direction: assignment?.direction === DIRECTION.import ? 'import' : 'export',
          policies: (assignment?.policies ?? []).map(({ name }) => name),
        };
      },
    ),
    watch: call(
      'WatchEvent',
      () => m.watchRequest.encode({ peer: {}, table: { filters: [{ type: BEST + shift }] } }),
      (bytes) => {
        const { peer, table } = m.watchResponse.decode(bytes);
        if (table === undefined) return peer === undefined ? undefined : { kind: 'peer-changed' };
        const prefixes = table.paths.map(paths.prefix).filter((prefix): prefix is Cidr => prefix !== undefined);
        return prefixes.length === 0 ? undefined : { kind: 'rib-changed', prefixes };
      },
    ),
  };
}

function nothing(): void {}
