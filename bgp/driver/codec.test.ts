import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseCidr } from '../../lib/cidr.ts';
import { parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';
import type { DesiredPeer } from '../model/types.ts';
import * as m from './api/messages.ts';
import type { Codec, PathToWrite } from './codec.ts';
import { v3 } from './v3/codec.ts';
import { path as path3 } from './v3/paths.ts';
import { v4 } from './v4/codec.ts';
import { path as path4 } from './v4/paths.ts';
import { WireError } from './wire/reader.ts';

const ip = (text: string) => unwrap(parseIp(text));
const cidr = (text: string) => unwrap(parseCidr(text));
const BLOCK = cidr('10.244.1.0/24');
const NODE = ip('198.51.100.1');
const NONE = { asPath: [], asPathLength: 0, localPref: 100, med: 0, origin: 0, communities: [] };

/** How each generation puts a learned path: the attributes of the same table, wrapped. */
const GENERATIONS = [
  {
    codec: v3,
    learned: learned3,
    change: (bytes: Uint8Array, more: object) => path3.encode({ ...path3.decode(bytes), ...more }),
  },
  {
    codec: v4,
    learned: learned4,
    change: (bytes: Uint8Array, more: object) => path4.encode({ ...path4.decode(bytes), ...more }),
  },
] as const;

const SEGMENTS = [
  { type: 2, numbers: [64600, 4200000000] },
  { type: 1, numbers: [1, 2, 3] },
  { type: 3, numbers: [65001] },
];

for (const { codec, learned, change } of GENERATIONS) {
  const { generation } = codec;
  const written = (input: PathToWrite): Uint8Array => m.addPathRequest.decode(codec.addPath.encode(input)).path;
  const listed = (bytes: Uint8Array) =>
    codec.listPath(64512).decode(m.listPathResponse.encode({ destination: { paths: [bytes] } }));

  test(`${generation}: listPath reads what addPath writes, IPv4 and IPv6, with all that a path can carry`, () => {
    const path = {
      nextHop: NODE,
      communities: [64512 * 65536 + 7, 0xffff0000],
      largeCommunities: [[4200000000, 1, 2]] as const,
      localPref: 200,
      med: 0,
    };
    const six = { prefix: cidr('fd00:10:244::100/120'), path: { nextHop: ip('fd00::1') } };
    const local = { neighborIp: '<nil>', sourceAsn: 64512 };
    const flags = { local: true, stale: false, ebgp: false };
    assert.deepEqual(listed(change(written({ prefix: BLOCK, path }), local)), [
      { ...NONE, prefix: BLOCK, ...path, ...flags },
    ]);
    assert.deepEqual(listed(change(written(six), local)), [
      { prefix: six.prefix, ...NONE, nextHop: 'fd00::1', ...flags },
    ]);
  });

  test(`${generation}: listPath reads the attributes of a learned path`, () => {
    assert.deepEqual(listed(learned()), [
      {
        prefix: BLOCK,
        nextHop: NODE,
        from: '198.51.100.254',
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

  test(`${generation}: listPath leaves out what is no usable unicast path`, () => {
    const bytes = written({ prefix: BLOCK, path: { nextHop: NODE } });
    assert.deepEqual(listed(change(bytes, { filtered: true })), []);
    assert.deepEqual(listed(change(bytes, { isWithdraw: true })), []);
    assert.deepEqual(listed(change(bytes, { attributes: [] })), []);
    assert.deepEqual(listed(change(bytes, { nlri: {} })), []);
    assert.deepEqual(codec.listPath(64512).decode(new Uint8Array()), []);
  });

  test(`${generation}: watch tells changed prefixes, and changes of peers`, () => {
    const paths = [BLOCK, cidr('fd00:10:244::/120')].map((prefix) =>
      written({ prefix, path: { nextHop: prefix === BLOCK ? NODE : ip('fd00::1') } }),
    );
    assert.deepEqual(codec.watch.decode(m.watchResponse.encode({ table: { paths } })), {
      kind: 'rib-changed',
      prefixes: [BLOCK, 'fd00:10:244::/120'],
    });
    assert.equal(codec.watch.decode(m.watchResponse.encode({ table: {} })), undefined);
    assert.deepEqual(codec.watch.decode(m.watchResponse.encode({ peer: { type: 3 } })), { kind: 'peer-changed' });
    assert.equal(codec.watch.decode(new Uint8Array()), undefined);
  });

  test(`${generation}: bytes that are no message end in WireError, or are read as far as they make sense`, () => {
    const whole = m.listPathResponse.encode({ destination: { paths: [learned()] } });
    const decoders = [codec.listPath(64512).decode, codec.listPeer(0).decode, codec.watch.decode];
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 64 }),
          fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, value]) => whole.with(at, value)),
        ),
        (bytes) => {
          for (const decode of decoders) {
            try {
              decode(bytes);
            } catch (error) {
              assert.ok(error instanceof WireError, String(error));
            }
          }
        },
      ),
    );
  });

  test(`${generation}: a peer without session has no age, no advertised prefixes and no end of RIB`, () => {
    const { state } = codec.listPeer(2000).decode(
      m.peerEnvelope.encode({
        peer: {
          conf: { neighborAddress: NODE, peerAsn: 64512 },
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
    assert.throws(() => codec.listPeer(0).decode(m.peerEnvelope.encode({ peer: {} })), WireError);
  });
}

const PEER: DesiredPeer = {
  address: ip('198.51.100.2'),
  port: 1179,
  asn: 64512 as DesiredPeer['asn'],
  localAsn: 64999 as DesiredPeer['asn'],
  description: 'mesh n2',
  localAddress: NODE,
  password: 'open sesame',
  connect: 'passive',
  distance: { kind: 'secured', hops: 2 },
  holdTimeSeconds: 90,
  keepaliveSeconds: 30,
  connectRetrySeconds: 5,
  families: [4, 6],
  routeReflector: { clusterId: ip('198.51.100.9') },
  allowedOwnAsns: 2,
  maxPrefixes: 1000,
  bfd: { receiveMs: 300, transmitMs: 400, multiplier: 3 },
};

test('addPeer says all that a peer can ask for', () => {
  const sentBy = (codec: Codec, peer: DesiredPeer) =>
    m.peerEnvelope.decode(codec.addPeer.encode({ peer, note: 'x #0' })).peer;
  const sent = sentBy(v4, PEER);
  assert.deepEqual(sent, sentBy(v3, PEER), 'no number of it differs');
  assert.deepEqual(sent?.conf, {
    authPassword: 'open sesame',
    description: 'x #0',
    localAsn: 64999,
    neighborAddress: '198.51.100.2',
    peerAsn: 64512,
    allowOwnAsn: 2,
  });
  assert.deepEqual(sent?.transport, { localAddress: NODE, passiveMode: true, remotePort: 1179 });
  assert.deepEqual([sent?.ttlSecurity, sent?.ebgpMultihop], [{ enabled: true, ttlMin: 254 }, undefined]);
  assert.deepEqual(sent?.routeReflector, { client: true, clusterId: '198.51.100.9' });
  assert.deepEqual(sent?.timers?.config, {
    connectRetry: 5,
    holdTime: 90,
    keepaliveInterval: 30,
    idleHoldAfterReset: 5,
  });
  assert.deepEqual(
    sent?.afiSafis.map(({ prefixLimits }) => prefixLimits),
    [1, 2].map((afi) => ({ family: { afi, safi: 1 }, maxPrefixes: 1000 })),
  );
  assert.deepEqual(sent?.bfd, { enabled: true, port: 3784, transmit: 400_000, receive: 300_000, multiplier: 3 });
  assert.equal(sent?.gracefulRestart, undefined);

  const { bfd: _, ...rest } = PEER;
  const restarting = sentBy(v3, {
    ...rest,
    distance: { kind: 'multihop', ttl: 255 },
    gracefulRestart: { restartTimeSeconds: 120, deferralTimeSeconds: 15 },
  });
  assert.deepEqual([restarting?.ttlSecurity, restarting?.ebgpMultihop], [undefined, { enabled: true, ttl: 255 }]);
  const restart = { enabled: true, restartTime: 120, deferralTime: 15, notificationEnabled: true };
  assert.deepEqual(restarting?.gracefulRestart, restart);
});

test('listPeer reads state, counters by family, what ended the last session, and why none comes up', () => {
  const counters = (afi: number, received: number) => ({
    config: { family: { afi, safi: 1 } },
    state: { received, accepted: 4, advertised: 3 },
    mpGracefulRestart: { state: { endOfRibReceived: afi === 1 } },
  });
  const encoded = (adminState: number, capability = 'GracefulRestartCapability') =>
    m.peerEnvelope.encode({
      peer: {
        conf: { description: 'mesh n1 #0', neighborAddress: NODE, peerAsn: 64512, authPassword: 'open sesame' },
        state: {
          sessionState: 6,
          adminState,
          flaps: 2,
          remoteCapabilities: [{ typeUrl: `type.googleapis.com/apipb.${capability}` }],
          disconnectReason: 4,
          disconnectMessage: 'cease\u0007/peer\nde-configured',
          bfd: { sessionState: 1 },
        },
        timers: { state: { uptime: { seconds: 1000 } } },
        gracefulRestart: { enabled: true },
        afiSafis: [counters(1, 5), counters(2, 6)],
        bfd: { enabled: true },
      },
    });
  const { note, password, hasBfd, state } = v4.listPeer(1030.5).decode(encoded(3));
  assert.deepEqual([note, password, hasBfd], ['mesh n1 #0', 'open sesame', true]);
  assert.deepEqual(state, {
    address: NODE,
    asn: 64512,
    state: 'established',
    uptimeSeconds: 30.5,
    flaps: 2,
    received: 11,
    accepted: 8,
    advertised: 6,
    endOfRib: true,
    description: 'mesh n1 #0',
    families: new Map([
      [4, { received: 5, accepted: 4, advertised: 3, endOfRib: true }],
      [6, { received: 6, accepted: 4, advertised: 3, endOfRib: false }],
    ]),
    lastError: 'NOTIFICATION received: cease /peer de-configured',
    overLimit: true,
    bfd: 'up',
  });
  assert.equal(v3.listPeer(0).decode(encoded(2)).state.advertised, 4, '3.x counts an End-of-RIB of each family');
  const without = v3.listPeer(0).decode(encoded(2, 'RouteRefreshCapability'));
  assert.equal(without.state.advertised, 6, 'there is none for a peer without graceful restart');
  assert.equal(v3.listPeer(0).decode(encoded(2)).state.overLimit, true);
  assert.equal(v3.listPeer(0).decode(encoded(1)).state.overLimit, undefined);
});

function learned3(): Uint8Array {
  const any = (type: string, value: Uint8Array) => ({ typeUrl: `type.googleapis.com/apipb.${type}`, value });
  return path3.encode({
    nlri: any('IPAddressPrefix', m.prefixNlri.encode({ length: 24, address: '10.244.1.0' })),
    attributes: [
      any('NextHopAttribute', m.nextHop.encode({ nextHop: NODE })),
      any('OriginAttribute', m.origin.encode({ origin: 2 })),
      any('AsPathAttribute', m.asPath.encode({ segments: SEGMENTS })),
      any('MultiExitDiscAttribute', m.med.encode({ med: 50 })),
      any('LocalPrefAttribute', m.localPref.encode({ localPref: 200 })),
      any('AtomicAggregateAttribute', new Uint8Array()),
    ],
    neighborIp: '198.51.100.254',
    sourceAsn: 64600,
    stale: true,
  });
}

function learned4(): Uint8Array {
  return path4.encode({
    nlri: { prefix: { length: 24, address: '10.244.1.0' } },
    attributes: [
      { nextHop: { nextHop: NODE } },
      { origin: { origin: 2 } },
      { asPath: { segments: SEGMENTS } },
      { med: { med: 50 } },
      { localPref: { localPref: 200 } },
    ],
    neighborIp: '198.51.100.254',
    sourceAsn: 64600,
    stale: true,
  });
}
