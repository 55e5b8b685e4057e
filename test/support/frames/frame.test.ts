import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../../../lib/ip.ts';
import { unwrap } from '../../../lib/result.ts';
import { crc32c, internetChecksum } from './checksums.ts';
import { encodeFrame, type Frame, frameId } from './frame.ts';

const frame = {
  destinationMac: Buffer.from('eeeeeeeeeeee', 'hex'),
  sourceMac: Buffer.from('020000000001', 'hex'),
  sport: 40_000,
  dport: 80,
} as const;

test('checksums are those of the standards', () => {
  // The example of RFC 1071 3, and the check value that catalogues give for CRC-32C.
  assert.equal(internetChecksum(Buffer.from('0001f203f4f5f6f7', 'hex')), ~0xddf2 & 0xffff);
  assert.equal(crc32c(Buffer.from('123456789')), 0xe306_9283);
});

test('frameId() knows every kind of frame again', () => {
  for (const [saddr, daddr] of [
    ['10.244.0.1', '10.244.0.2'],
    ['fd00:10:244::1', 'fd00:10:244::2'],
  ] as const) {
    for (const protocol of ['tcp', 'udp', 'sctp', 'icmp'] as const) {
      const one: Frame = {
        ...frame,
        id: 0xfedc_ba98,
        protocol,
        saddr: unwrap(parseIp(saddr)),
        daddr: unwrap(parseIp(daddr)),
      };
      const bytes = encodeFrame(one);
      assert.equal(frameId(bytes), one.id, `${protocol} ${saddr}`);
      for (let length = 0; length < bytes.length; length++) frameId(bytes.subarray(0, length));
    }
  }
});

test('frameId() answers nothing for frames of others', () => {
  assert.equal(frameId(Buffer.from(`${'ff'.repeat(12)}0806${'00'.repeat(46)}`, 'hex')), undefined);
  assert.equal(frameId(Buffer.alloc(0)), undefined);
});
