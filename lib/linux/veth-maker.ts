// Creates veth pairs, several with one request that another thread sends: the kernel takes half a millisecond for each,
// and meanwhile the main thread can do what comes before and after. A pair that is alone is created at once, since
// waking a thread takes longer.
import { KernelError } from './kernel-error.ts';
import { createVeth, type Link, type VethSpec, vethOf, vethRequest } from './links.ts';
import { openRtnl, type Rtnl } from './rtnl.ts';

export type VethMaker = {
  /**
   * As `createVeth()`, together with others that are asked for in the same turn or while the thread is busy.
   * @throws KernelError EEXIST when either name is taken
   */
  readonly create: (spec: VethSpec) => Promise<Link>;
  /** Resolves when no creation is under way. */
  readonly close: () => Promise<void>;
};

/** As long as a request runs, its links come to be known only at its end. */
const MOST_TOGETHER = 8;

type Wish = {
  readonly spec: VethSpec;
  readonly resolve: (link: Link) => void;
  readonly reject: (error: unknown) => void;
};

/** For the network namespace that the thread is in now, which must be that of `rtnl`. @throws KernelError */
export function createVethMaker(rtnl: Rtnl): VethMaker {
  const apart = openRtnl();
  const waiting: Wish[] = [];
  let running: Promise<void> | undefined;

  const together = async (wishes: readonly Wish[]): Promise<void> => {
    const answers = await apart.requestAllInThread(wishes.map(({ spec }) => vethRequest(spec)));
    for (const [index, { spec, resolve, reject }] of wishes.entries()) {
      const answer = answers[index];
      if (answer === undefined || answer instanceof KernelError) reject(answer);
      else settle(() => vethOf(rtnl, spec, answer), { resolve, reject });
    }
  };

  const next = (): void => {
    if (running !== undefined || waiting.length === 0) return;
    const wishes = waiting.splice(0, MOST_TOGETHER);
    const [first] = wishes;
    if (first !== undefined && wishes.length === 1) {
      settle(() => createVeth(rtnl, first.spec), first);
      return;
    }
    running = together(wishes)
      .catch((error: unknown) => {
        for (const { reject } of wishes) reject(error);
      })
      .finally(() => {
        running = undefined;
        next();
      });
  };

  return {
    create: (spec) =>
      new Promise((resolve, reject) => {
        waiting.push({ spec, resolve, reject });
        if (waiting.length === 1) queueMicrotask(next);
      }),
    close: async () => {
      while (running !== undefined) await running;
      apart.close();
    },
  };
}

function settle(create: () => Link, { resolve, reject }: Pick<Wish, 'resolve' | 'reject'>): void {
  try {
    resolve(create());
  } catch (error) {
    reject(error);
  }
}
