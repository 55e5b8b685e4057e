import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PeerState } from '../bgp/model/types.ts';
import { type Ip, parseIp } from '../lib/ip.ts';
import { unwrap } from '../lib/result.ts';
import { createPeerHistory } from './peer-history.ts';

const PEER: Ip = unwrap(parseIp('198.51.100.254'));
const down: PeerState = {
  address: PEER,
  asn: 64600,
  state: 'active',
  flaps: 0,
  received: 0,
  accepted: 0,
  advertised: 0,
  endOfRib: false,
  description: 'BGPPeer tor',
};
const up = (uptimeSeconds: number): PeerState => ({ ...down, state: 'established', uptimeSeconds, opensReceived: 1 });

test('createPeerHistory() remembers since when there is a session, or none', () => {
  const history = createPeerHistory();
  assert.equal(history.of(PEER), undefined);
  assert.equal(history.observe([down], 1000), false);
  history.observe([{ ...down, state: 'idle' }], 5000);
  assert.equal(history.of(PEER)?.sinceMs, 1000);
  assert.equal(history.observe([up(2)], 10_000), true);
  history.observe([up(2)], 10_900); // gobgpd counts whole seconds.
  assert.deepEqual(
    { sinceMs: history.of(PEER)?.sinceMs, everEstablished: history.of(PEER)?.everEstablished },
    { sinceMs: 8000, everEstablished: true },
  );
  history.observe([up(1)], 60_000);
  assert.equal(history.of(PEER)?.sinceMs, 59_000, 'another session between two looks');
  assert.equal(history.observe([{ ...down, flaps: 2, opensReceived: 1 }], 70_000), true);
  assert.deepEqual(
    { sinceMs: history.of(PEER)?.sinceMs, refused: history.of(PEER)?.refused },
    { sinceMs: 70_000, refused: false },
  );
  assert.equal(history.observe([], 80_000), true);
  assert.equal(history.of(PEER), undefined);
});

test('createPeerHistory() tells an OPEN that led to no session', () => {
  const history = createPeerHistory();
  history.observe([{ ...down, opensReceived: 1 }], 0);
  assert.equal(history.of(PEER)?.refused, true, 'never a session');
  history.observe([up(0)], 0);
  history.observe([{ ...down, flaps: 1, opensReceived: 1 }], 0);
  assert.equal(history.of(PEER)?.refused, false, 'the OPEN of the session that was');
  history.observe([{ ...down, flaps: 1, opensReceived: 2 }], 0);
  assert.equal(history.of(PEER)?.refused, true, 'one more');
  history.observe([down], 0);
  history.observe([{ ...down, opensReceived: 1 }], 0);
  assert.equal(history.of(PEER)?.refused, true, 'of a replaced peer');
  const late = createPeerHistory();
  late.observe([{ ...down, flaps: 3, opensReceived: 4 }], 0);
  assert.equal(late.of(PEER)?.refused, false, 'of sessions before the first look nobody knows');
});
