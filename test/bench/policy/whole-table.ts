// A whole table from nothing in one batch, against nft -f with the same text.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ipv4FromNumber } from '../../../lib/ip.ts';
import { inNetns } from '../../../lib/linux/netns.ts';
import {
  type Chain,
  type ChainName,
  type Element,
  type NftKey,
  type NftObject,
  type NftSet,
  nftKey,
  type Rule,
  type SetName,
  type Table,
  type TableName,
} from '../../../lib/nftables/ast.ts';
import { openNftables } from '../../../lib/nftables/nfnetlink.ts';
import { planReplacement } from '../../../lib/nftables/plan.ts';
import { printRuleset } from '../../../lib/nftables/print.ts';
import { testNetns } from '../../support/netns.ts';
import { run } from '../program.ts';
import { resultOf, timed } from '../results.ts';
import type { Bench } from '../types.ts';

const TABLE: Table = { name: 'bench' as TableName, flags: [] };
const RULES = 10;

export const wholeTable: Bench = {
  name: 'whole-table',
  run: async ({ scope, scale }) => {
    const [chains, rounds] = scale === 'full' ? [1000, 15] : [20, 2];
    const objects = tableOf(chains);
    const ours = await testNetns(scope, 'ours');
    const other = await testNetns(scope, 'other');
    const nft = inNetns(ours.path, openNftables);
    scope.after(nft.close);
    const directory = mkdtempSync(join(tmpdir(), 'margay-bench-'));
    scope.after(() => rmSync(directory, { recursive: true }));
    const file = join(directory, 'table.nft');
    writeFileSync(file, printRuleset({ table: TABLE, objects }));
    const times: Record<'ours' | 'other', number[]> = { ours: [], other: [] };
    for (let round = -2; round < rounds; round++) {
      const mine = timed(() => nft.commit(planReplacement({ table: TABLE, objects })));
      nft.commit([{ kind: 'delete-table', table: TABLE }]);
      const theirs = inNetns(other.path, () => {
        const ms = timed(() => run('nft', '-f', file));
        run('nft', 'delete', 'table', 'inet', TABLE.name);
        return ms;
      });
      if (round < 0) continue;
      times.ours.push(mine);
      times.other.push(theirs);
    }
    return [
      resultOf({
        name: `whole table from nothing (${chains} chains x ${RULES} rules)`,
        unit: 'ms',
        ours: times.ours,
        other: { name: 'nft -f', samples: times.other },
        goal: { text: 'ratio < 1', met: (line) => line.other !== undefined && line.ours.p50 < line.other.p50 },
      }),
    ];
  },
};

/** Chains that a verdict map on the forward hook leads to, each with rules on address and port. */
function tableOf(chains: number): ReadonlyMap<NftKey, NftObject> {
  const map: NftSet = { kind: 'set', name: 'ports' as SetName, keyTypes: ['ifname'], interval: false, data: 'verdict' };
  const objects: NftObject[] = [map];
  for (let i = 0; i < chains; i++) {
    const name = `chain-${i}` as ChainName;
    objects.push({ kind: 'chain', name, rules: Array.from({ length: RULES }, (_, n) => ruleOf(i * RULES + n)) });
    const element: Element = {
      kind: 'element',
      set: map.name,
      key: [`mgy${i}`],
      verdict: { kind: 'goto', chain: name },
    };
    objects.push(element);
  }
  const forward: Chain = {
    kind: 'chain',
    name: 'forward' as ChainName,
    hook: { type: 'filter', hook: 'forward', priority: 0, policy: 'accept' },
    rules: [{ statements: [{ kind: 'vmap', key: [{ kind: 'meta', key: 'iifname' }], map: map.name }] }],
  };
  return new Map([...objects, forward].map((object) => [nftKey(object), object]));
}

const ruleOf = (number: number): Rule => ({
  statements: [
    {
      kind: 'match',
      left: { kind: 'payload', field: 'ip saddr' },
      op: '==',
      right: ipv4FromNumber(0x0a_f4_00_00 + number),
    },
    { kind: 'match', left: { kind: 'payload', field: 'tcp dport' }, op: '==', right: 1 + (number % 65_535) },
    { kind: 'verdict', verdict: { kind: 'accept' } },
  ],
});
