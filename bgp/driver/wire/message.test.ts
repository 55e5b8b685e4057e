import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { any, bool, int, message, messages, nested, string, strings, uint, uints } from './message.ts';
import { WireError } from './reader.ts';

const inner = message({ name: string(1), flag: bool(15) });
const sample = message({
  unsigned: uint(1),
  signed: int(2),
  flag: bool(3),
  text: string(4),
  child: nested(5, inner),
  children: messages(6, inner),
  texts: strings(7),
  numbers: uints(200),
});

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');

// Bytes by the examples of the Encoding page of protobuf.dev, field numbers changed.
const ROWS: readonly {
  readonly name: string;
  readonly value: Parameters<typeof sample.encode>[0];
  readonly wire: string;
}[] = [
  { name: 'nothing', value: {}, wire: '' },
  { name: 'defaults', value: { unsigned: 0, signed: 0, flag: false, text: '', children: [], numbers: [] }, wire: '' },
  { name: 'a number of two bytes', value: { unsigned: 150 }, wire: '08 9601' },
  { name: 'the largest uint32', value: { unsigned: 4294967295 }, wire: '08 ffffffff0f' },
  { name: 'a number above 32 bits', value: { unsigned: 2 ** 45 }, wire: '08 80808080808008' },
  { name: 'a negative number', value: { signed: -1 }, wire: '10 ffffffffffffffffff01' },
  { name: 'text', value: { text: 'testing' }, wire: '22 07 74657374696e67' },
  { name: 'text beyond ASCII', value: { text: 'ü' }, wire: '22 02 c3bc' },
  { name: 'an empty message', value: { child: {} }, wire: '2a 00' },
  { name: 'a message', value: { child: { flag: true } }, wire: '2a 02 7801' },
  { name: 'a list of messages', value: { children: [{}, { name: 'a' }] }, wire: '32 00 32 03 0a0161' },
  { name: 'a list of texts', value: { texts: ['', 'b'] }, wire: '3a 00 3a 01 62' },
  { name: 'packed numbers, two-byte tag', value: { numbers: [3, 270, 86942] }, wire: 'c20c 06 03 8e02 9ea705' },
];

const EMPTY = {
  unsigned: 0,
  signed: 0,
  flag: false,
  text: '',
  child: undefined,
  children: [],
  texts: [],
  numbers: [],
};

for (const { name, value, wire } of ROWS) {
  test(`message() ${name}`, () => {
    assert.equal(hex(sample.encode(value)), wire.replaceAll(' ', ''));
    const back = sample.decode(bytes(wire));
    const filled = (of: { readonly name?: string | undefined; readonly flag?: boolean | undefined }) => ({
      name: '',
      flag: false,
      ...of,
    });
    assert.deepEqual(back, {
      ...EMPTY,
      ...value,
      ...(value.child === undefined ? {} : { child: filled(value.child) }),
      children: (value.children ?? []).map(filled),
    });
  });
}

test('decode() passes over unknown fields of every wire type', () => {
  const unknown = 'f801 01 f901 0000000000000000 fa01 03 616263 fd01 00000000';
  assert.deepEqual(sample.decode(bytes(`${unknown} 08 05 ${unknown}`)), { ...EMPTY, unsigned: 5 });
});

test('decode() takes the last of a repeated scalar and unpacked numbers', () => {
  assert.deepEqual(sample.decode(bytes('08 01 08 02 c00c 07 c20c 01 08')), { ...EMPTY, unsigned: 2, numbers: [7, 8] });
});

const BROKEN = ['08', '08 ffffffffffffffffffff', '22 05 61', '09 00', '0b', '20 01', 'c20c 01 80', '2a 01 08', '0a 00'];
for (const wire of BROKEN) {
  test(`decode() refuses ${wire}`, () => {
    assert.throws(() => sample.decode(bytes(wire)), WireError);
  });
}

test('decode() of any bytes gives a value or a WireError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (input) => {
      try {
        sample.decode(input);
      } catch (error) {
        assert.ok(error instanceof WireError);
      }
    }),
  );
});

test('decode(encode(x)) is x', () => {
  const text = fc.string({ unit: 'grapheme' });
  const plain = { noNullPrototype: true };
  const child = fc.record({ name: text, flag: fc.boolean() }, plain);
  const value = fc.record(
    {
      unsigned: fc.maxSafeNat(),
      signed: fc.maxSafeInteger(),
      flag: fc.boolean(),
      text,
      child: fc.option(child, { nil: undefined }),
      children: fc.array(child),
      texts: fc.array(text),
      numbers: fc.array(fc.nat({ max: 2 ** 31 - 1 })),
    },
    plain,
  );
  fc.assert(fc.property(value, (x) => assert.deepEqual(sample.decode(sample.encode(x)), x)));
});

test('any carries bytes', () => {
  const value = new Uint8Array([1, 2, 3]);
  const back = any.decode(any.encode({ typeUrl: 'x', value }));
  assert.deepEqual([back.typeUrl, [...back.value]], ['x', [1, 2, 3]]);
});
