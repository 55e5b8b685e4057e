import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bgpFilterSchema } from '../../datastore/resources/bgp-filter.ts';
import { asn } from '../../test/support/bgp-world.ts';
import { type FilterContext, filterProblems, filterStatements } from './filter-statements.ts';

const filter = (spec: object) =>
  bgpFilterSchema.parse({ apiVersion: 'projectcalico.org/v3', kind: 'BGPFilter', metadata: { name: 'f' }, spec });

const OUT: FilterContext = { direction: 'export', peerType: 'eBGP', ownAsn: asn(64512), exported: ['local'] };
const IN: FilterContext = { ...OUT, direction: 'import' };
const ANY4 = [{ cidr: '0.0.0.0/0', min: 0, max: 32 }];

const ROWS: readonly {
  readonly name: string;
  readonly given: object;
  readonly context: FilterContext;
  readonly expected: readonly unknown[];
}[] = [
  {
    name: 'the families are apart, IPv4 first',
    given: { importV6: [{ action: 'Reject' }], importV4: [{ action: 'Accept' }], exportV4: [{ action: 'Reject' }] },
    context: IN,
    expected: [
      { name: 'BGPFilter f importV4[0]', match: { prefixes: ANY4 }, action: 'accept' },
      { name: 'BGPFilter f importV6[0]', match: { prefixes: [{ cidr: '::/0', min: 0, max: 128 }] }, action: 'reject' },
    ],
  },
  {
    name: 'accept sends what is sent anyway, reject holds back all',
    given: { exportV4: [{ action: 'Accept' }, { action: 'Reject' }] },
    context: OUT,
    expected: [
      { name: 'BGPFilter f exportV4[0]', match: { prefixes: ANY4, source: 'local' }, action: 'accept' },
      { name: 'BGPFilter f exportV4[1]', match: { prefixes: ANY4 }, action: 'reject' },
    ],
  },
  {
    name: 'RemotePeers is whatever was learned',
    given: { exportV4: [{ source: 'RemotePeers', action: 'Accept' }] },
    context: OUT,
    expected: ['internal', 'external'].map((source) => ({
      name: 'BGPFilter f exportV4[0]',
      match: { prefixes: ANY4, source },
      action: 'accept',
    })),
  },
  {
    name: 'towards another AS a path begins with our own number, before and after',
    given: {
      exportV4: [
        { asPathPrefix: [64600], action: 'Reject' },
        { action: 'Accept', operations: [{ prependASPath: { prefix: [1] } }, { prependASPath: { prefix: [2, 3] } }] },
      ],
    },
    context: OUT,
    expected: [
      { name: 'BGPFilter f exportV4[0]', match: { prefixes: ANY4, asPathPrefix: [64512, 64600] }, action: 'reject' },
      {
        name: 'BGPFilter f exportV4[1]',
        match: { prefixes: ANY4, source: 'local' },
        set: { prependAsPath: [64512, 2, 3, 1] },
        action: 'accept',
      },
    ],
  },
  {
    name: 'a priority is a LOCAL_PREF, which drain outranks',
    given: { importV4: [{ action: 'Accept', operations: [{ setPriority: { value: 512 } }] }] },
    context: IN,
    expected: [
      {
        name: 'BGPFilter f importV4[0]',
        match: { prefixes: ANY4 },
        set: { localPref: 2147483135 },
        action: 'continue',
      },
      {
        name: 'BGPFilter f importV4[0]',
        match: { prefixes: ANY4, communities: [{ kind: 'standard', value: 4294901760 }] },
        set: { localPref: 0 },
        action: 'continue',
      },
      { name: 'BGPFilter f importV4[0]', match: { prefixes: ANY4 }, action: 'accept' },
    ],
  },
  {
    name: 'a priority is nothing to another AS, and no route here has another than 1024',
    given: {
      exportV4: [
        { priority: 512, action: 'Reject' },
        { priority: 1024, action: 'Accept', operations: [{ setPriority: { value: 512 } }] },
      ],
    },
    context: OUT,
    expected: [{ name: 'BGPFilter f exportV4[1]', match: { prefixes: ANY4, source: 'local' }, action: 'accept' }],
  },
];

for (const { name, given, context, expected } of ROWS) {
  test(`filterStatements(): ${name}`, () => {
    assert.deepEqual(filterStatements(filter(given), context), expected);
  });
}

test('filterProblems() names rules by interface: they are closed', () => {
  const rules = [
    { interface: 'eth*', action: 'Accept' },
    { interface: 'eth*', action: 'Reject' },
    { action: 'Reject' },
  ];
  assert.deepEqual(filterProblems(filter({ importV4: rules })), [
    'Cannot match interface "eth*" in BGPFilter "f" importV4[0]: paths of BGP have none here, so the rule accepts nothing, expected a rule without interface',
    'Cannot match interface "eth*" in BGPFilter "f" importV4[1]: paths of BGP have none here, so the rule rejects on any interface, expected a rule without interface',
  ]);
});
