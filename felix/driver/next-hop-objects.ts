// Our next hop objects in the kernel. With thousands of different gateways on a link the kernel takes ever longer for
// each route that carries its own (60 s for 100,000 routes); a route that names an object does not.
import { deleteNextHop, dumpNextHops, type NextHopObject, writeNextHop } from '../../lib/linux/next-hop-objects.ts';
import type { NextHop } from '../../lib/linux/routes.ts';
import type { Rtnl } from '../../lib/linux/rtnl.ts';
import { ROUTE_PROTOCOL } from '../model/route.ts';

export type NextHopObjects = {
  /** Dumps the objects; what was believed before is forgotten. @throws KernelError */
  readonly read: () => void;
  /**
   * Numbers of objects for these sets of next hops, made where they are missing. A set without a number cannot be an
   * object, or was refused by the kernel.
   */
  readonly ensure: (sets: readonly (readonly NextHop[])[]) => readonly (number | undefined)[];
  /** Deletes what no route names. `named`: the numbers in routes. */
  readonly prune: (named: ReadonlySet<number>) => void;
};

/** Where our numbers begin: away from those that people and the kernel choose. */
const FIRST_ID = 177_000_000;

export function createNextHopObjects(rtnl: Rtnl): NextHopObjects {
  let idOf = new Map<string, number>();
  let objects = new Map<number, NextHopObject>();
  let nextId = FIRST_ID;

  const idFor = (text: string, to: NextHopObject['to'], due: NextHopObject[]): number => {
    const known = idOf.get(text);
    if (known !== undefined) return known;
    const object = { id: nextId++, protocol: ROUTE_PROTOCOL, to };
    idOf.set(text, object.id);
    objects.set(object.id, object);
    due.push(object);
    return object.id;
  };
  const forget = (id: number): void => {
    const object = objects.get(id);
    objects.delete(id);
    if (object !== undefined) idOf.delete(textOf(object.to));
  };
  // Gateways before the groups that hold them: a group of what is refused is refused too.
  const write = (due: readonly NextHopObject[]): void => {
    for (const [index, error] of rtnl.requestAll(due.map(writeNextHop)).entries()) {
      const object = due[index];
      if (error !== undefined && object !== undefined) forget(object.id);
    }
  };

  return {
    read: () => {
      const all = dumpNextHops(rtnl);
      const ours = all.filter(({ protocol }) => protocol === ROUTE_PROTOCOL);
      objects = new Map(ours.map((object) => [object.id, object]));
      idOf = new Map(ours.map((object) => [textOf(object.to), object.id]));
      nextId = all.reduce((most, { id }) => Math.max(most, id + 1), FIRST_ID);
    },
    ensure: (sets) => {
      const gateways: NextHopObject[] = [];
      const groups: NextHopObject[] = [];
      const numbers = sets.map((set) => {
        const members = set.map((hop) => {
          const { gateway, oif, onlink } = hop;
          if (oif === undefined) return undefined;
          const to = { kind: 'gateway', gateway, oif, ...(onlink !== undefined && { onlink }) } as const;
          return idFor(textOf(to), to, gateways);
        });
        const ids = members.filter((id) => id !== undefined).sort((a, b) => a - b);
        if (ids.length === 0 || ids.length < set.length) return undefined;
        const to = { kind: 'group', members: ids } as const;
        return ids.length === 1 ? ids[0] : idFor(textOf(to), to, groups);
      });
      write(gateways);
      write(groups);
      return numbers.map((id) => (id !== undefined && objects.has(id) ? id : undefined));
    },
    prune: (named) => {
      const kept = new Set(named);
      for (const id of named) {
        const to = objects.get(id)?.to;
        if (to?.kind === 'group') for (const member of to.members) kept.add(member);
      }
      const idle = [...objects.values()].filter(({ id }) => !kept.has(id));
      // A group that loses its members one by one would take its routes along; so groups go first.
      idle.sort((a, b) => Number(b.to.kind === 'group') - Number(a.to.kind === 'group'));
      rtnl.requestAll(idle.map(({ id }) => deleteNextHop(id)));
      for (const { id } of idle) forget(id);
    },
  };
}

const textOf = (to: NextHopObject['to']): string =>
  to.kind === 'group'
    ? `group ${to.members.toSorted((a, b) => a - b).join()}`
    : `${to.gateway} ${to.oif} ${to.onlink ?? false}`;
