// Both sides of a disagreement in words: what the oracle says and why, and which rules of the rendered table the packet
// meets.
import { createJudge } from '../../felix/explain/judge.ts';
import type { NftKey, NftObject } from '../../lib/nftables/ast.ts';
import { printRule } from '../../lib/nftables/print.ts';
import { convertPolicy } from '../../policy/convert/policy.ts';
import { createPlaces } from '../../policy/explain/places.ts';
import type { Direction } from '../../policy/ir.ts';
import { type Packet, verdict, type World } from '../../policy/oracle.ts';

export function explainCell(world: World, objects: ReadonlyMap<NftKey, NftObject>, packet: Packet): string {
  const judgement = verdict(world, packet);
  const places = createPlaces(world);
  const ends = places.resolve(packet.from, packet.to, packet.family);
  const judge = createJudge({ objects, places, policies: world.policies.map(convertPolicy) });
  const { protocol, port } = packet;
  const walked = (direction: Direction): readonly string[] => {
    if (ends === undefined) return ['  an end has no address of this family'];
    const { allowed, decision, path } = judge.find(direction, {
      ...ends,
      protocol,
      ...(port !== undefined && { port }),
    });
    return [
      `  table: ${allowed ? 'allow' : 'deny'} ${JSON.stringify(decision)}`,
      ...path.map(({ chain, index, rule }) => `    ${chain} ${index}: ${printRule(rule)}`),
    ];
  };
  return [
    JSON.stringify(packet),
    ...(['egress', 'ingress'] as const).flatMap((direction) => [
      direction,
      `  oracle: ${JSON.stringify(judgement[direction])}`,
      ...walked(direction),
    ]),
  ].join('\n');
}
