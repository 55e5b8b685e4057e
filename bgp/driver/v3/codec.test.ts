import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADDRESS, BLOCK, cidr, desiredOf, ip } from '../../../test/support/bgp-world.ts';
import type { PathToWrite } from '../codec.ts';
import { WireError } from '../wire/reader.ts';
import { v3 } from './codec.ts';
import * as m from './messages.ts';
import { pathOut } from './paths.ts';

const NONE = { asPath: [], asPathLength: 0, localPref: 100, med: 0, origin: 0, communities: [] };

/** A path as gobgpd lists it: what we send, with more on it. */
function listed(input: PathToWrite, more: object = {}, attributes: readonly (readonly [string, Uint8Array])[] = []) {
  const out = pathOut(input);
  const extra = attributes.map(([type, value]) => ({ typeUrl: `type.googleapis.com/apipb.${type}`, value }));
  const path = { ...out, attributes: [...(out.attributes ?? []), ...extra], ...more };
  const bytes = m.listPathResponse.encode({ destination: { prefix: input.prefix, paths: [path] } });
  return v3.listPath(64512).decode(bytes);
}

test('listPath reads what addPath writes, IPv4 and IPv6, with communities', () => {
  const communities = [64512 * 65536 + 7, 0xffff0000];
  const four = { prefix: BLOCK.n1, path: { nextHop: ip(ADDRESS.n1), communities } };
  const six = { prefix: cidr('fd00:10:244::100/120'), path: { nextHop: ip('fd00::1') } };
  const local = { neighborIp: '<nil>', sourceAsn: 64512 };
  const flags = { local: true, stale: false, ebgp: false };
  assert.deepEqual(listed(four, local), [{ prefix: BLOCK.n1, ...NONE, nextHop: ADDRESS.n1, communities, ...flags }]);
  assert.deepEqual(listed(six, local), [{ prefix: six.prefix, ...NONE, nextHop: 'fd00::1', ...flags }]);
});

test('listPath reads the attributes of a learned path', () => {
  const segments = [
    { type: 2, numbers: [64600, 4200000000] },
    { type: 1, numbers: [1, 2, 3] },
    { type: 3, numbers: [65001] },
  ];
  const given = listed(
    { prefix: BLOCK.n2, path: { nextHop: ip(ADDRESS.n2) } },
    { neighborIp: ADDRESS.tor, sourceAsn: 64600, stale: true },
    [
      ['OriginAttribute', m.origin.encode({ origin: 2 })],
      ['AsPathAttribute', m.asPath.encode({ segments })],
      ['MultiExitDiscAttribute', m.med.encode({ med: 50 })],
      ['LocalPrefAttribute', m.localPref.encode({ localPref: 200 })],
      ['AtomicAggregateAttribute', new Uint8Array()],
    ],
  );
  assert.deepEqual(given, [
    {
      prefix: BLOCK.n2,
      nextHop: ADDRESS.n2,
      from: ADDRESS.tor,
      local: false,
      stale: true,
      ebgp: true,
      asPath: [64600, 4200000000, 1, 2, 3, 65001],
      asPathLength: 3,
      localPref: 200,
      med: 50,
      origin: 2,
      communities: [],
    },
  ]);
});

test('listPath leaves out what is no usable unicast path', () => {
  const input = { prefix: BLOCK.n2, path: { nextHop: ip(ADDRESS.n2) } };
  assert.deepEqual(listed(input, { filtered: true }), []);
  assert.deepEqual(listed(input, { isWithdraw: true }), []);
  assert.deepEqual(listed(input, { attributes: [] }), []);
  const evpn = { typeUrl: 'type.googleapis.com/apipb.EVPNIPPrefixRoute', value: new Uint8Array([1, 2]) };
  assert.deepEqual(listed(input, { nlri: evpn }), []);
  assert.deepEqual(v3.listPath(64512).decode(new Uint8Array()), []);
});

test('addPeer says passive, port, timers, restart and families; listPeer reads it back', () => {
  const peer = desiredOf('n2').peers.get(ip(ADDRESS.n1));
  assert.ok(peer);
  const sent = m.peerEnvelope.decode(v3.addPeer.encode({ peer, note: 'mesh n1 #0' })).peer;
  assert.deepEqual(sent?.transport, { localAddress: ADDRESS.n2, passiveMode: true, remotePort: 179 });
  assert.deepEqual(sent?.ebgpMultihop, { enabled: true, ttl: 255 });
  assert.deepEqual(sent?.timers?.config, { connectRetry: 5, holdTime: 90, keepaliveInterval: 30 });
  const restart = { enabled: true, restartTime: 120, deferralTime: 15, notificationEnabled: true };
  assert.deepEqual(sent?.gracefulRestart, restart);
  assert.deepEqual(sent?.afiSafis[0]?.config, { family: { afi: 1, safi: 1 }, enabled: true });

  const counters = { received: 5, accepted: 4, advertised: 3 };
  const bytes = m.peerEnvelope.encode({
    peer: {
      conf: { description: 'mesh n1 #0', neighborAddress: ADDRESS.n1, peerAsn: 64512 },
      state: { sessionState: 6, flaps: 2 },
      timers: { state: { uptime: { seconds: 1000 } } },
      gracefulRestart: { enabled: true },
      afiSafis: [{ state: counters, mpGracefulRestart: { state: { endOfRibReceived: true } } }, { state: counters }],
    },
  });
  const { note, state } = v3.listPeer(1030.5).decode(bytes);
  assert.equal(note, 'mesh n1 #0');
  assert.deepEqual(state, {
    address: ADDRESS.n1,
    asn: 64512,
    state: 'established',
    uptimeSeconds: 30.5,
    flaps: 2,
    received: 10,
    accepted: 8,
    advertised: 4,
    endOfRib: true,
    description: 'mesh n1 #0',
  });
  assert.throws(() => v3.listPeer(0).decode(m.peerEnvelope.encode({ peer: {} })), WireError);
});

test('a peer without session has no age, no advertised prefixes and no end of RIB', () => {
  const { state } = v3.listPeer(2000).decode(
    m.peerEnvelope.encode({
      peer: {
        conf: { neighborAddress: ADDRESS.n1, peerAsn: 64512 },
        state: { sessionState: 3 },
        timers: { state: { uptime: { seconds: 1000 } } },
        afiSafis: [{ state: { advertised: 3 }, mpGracefulRestart: { state: { endOfRibReceived: true } } }],
      },
    }),
  );
  assert.deepEqual(
    [state.state, state.uptimeSeconds, state.advertised, state.endOfRib],
    ['active', undefined, 0, false],
  );
});

test('watch tells changes of the table from changes of peers', () => {
  assert.equal(v3.watch.decode(m.watchResponse.encode({ table: {} })), 'rib-changed');
  assert.equal(v3.watch.decode(m.watchResponse.encode({ peer: { type: 3 } })), 'peer-changed');
  assert.equal(v3.watch.decode(new Uint8Array()), undefined);
});

test('the export policy is one global policy whose name tells its content', () => {
  const { exports } = desiredOf('n1');
  const named = { name: 'margay-export-x', exports };
  const policy = m.addPolicyRequest.decode(v3.addExportPolicy.encode(named)).policy;
  assert.deepEqual(policy, {
    name: 'margay-export-x',
    statements: [{ name: 'margay-export-x-local', conditions: { routeType: 3 }, actions: { routeAction: 1 } }],
  });
  const bytes = v3.setExportAssignment.encode(named);
  assert.deepEqual(v3.listExportAssignment.decode(bytes), { policies: ['margay-export-x'], otherwise: 'reject' });
});
