// Deleting links without waiting for it on the main thread. The kernel takes some 16 ms to delete a link and 27 ms for a
// hundred of them at once, so links to delete are put into interface groups, and a group is deleted by a request that
// another thread sends. Meanwhile nobody can change links or routes, so that no group is made larger than it need be.
import { setTimeout as delay } from 'node:timers/promises';
import koffi from 'koffi';
import { KernelError } from './kernel-error.ts';
import { encodeLink, RTM_DELLINK } from './link-codec.ts';
import { setLink } from './links.ts';
import { decodeMessages, encodeMessage, NLM_F, NLMSG, readI32 } from './netlink-message.ts';
import type { Rtnl } from './rtnl.ts';

/** The first of the interface groups of links that are about to go, which follow each other. */
export const DOOMED_GROUP = 0x6d677978;
const GROUPS = 8;
/** How many links go at once, as long as no more than eight times as many are about to go. */
const LINKS_PER_GROUP = 64;

/** Whether a link of this interface group is about to go. */
export const isDoomedGroup = (group: number): boolean => group >= DOOMED_GROUP && group < DOOMED_GROUP + GROUPS;

export type DoomedLinks = {
  /**
   * Marks the links and resolves when they are deleted; links that are gone already are no error. Marked ones go even
   * when nobody waits, and `sweep()` takes those of an earlier process. `soon` lets others join them: meanwhile the
   * runtime removes most of the pods' namespaces, and the links go with those.
   * @throws KernelError
   */
  readonly doom: (indexes: readonly number[], when?: 'now' | 'soon') => Promise<void>;
  /** Deletes what is marked, by this process or an earlier one. @throws KernelError */
  readonly sweep: () => Promise<void>;
  /** Resolves when nothing is under way. */
  readonly close: () => Promise<void>;
};

/** How long `soon` is, in milliseconds. Every deletion keeps all other changes of links and routes waiting. */
const SOON_MS = 100;
const ENODEV = 19;
const EAGAIN = 11;
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0x80000;
const MSG_DONTWAIT = 0x40;

/** For the network namespace that the thread is in now, which must be that of `rtnl`. @throws KernelError */
export function createDoomedLinks(rtnl: Rtnl): DoomedLinks {
  const deleter = openGroupDeleter();
  // How many links have been marked for each group since its last deletion began.
  let marked: readonly number[] = Array.from({ length: GROUPS }, () => 0);
  // Somebody asked for those of an earlier process too.
  let isEverythingDue = false;

  const deleteMarked = async (): Promise<void> => {
    const groups = marked.flatMap((links, n) => (links > 0 || isEverythingDue ? [n] : []));
    isEverythingDue = false;
    try {
      for (const n of groups) {
        marked = marked.with(n, 0);
        await deleter.run(DOOMED_GROUP + n);
      }
    } catch (error) {
      // What was marked is not counted any more.
      isEverythingDue = true;
      throw error;
    }
  };
  const markOne = (index: number): boolean => {
    const room = marked.findIndex((links) => links < LINKS_PER_GROUP);
    const n = room >= 0 ? room : marked.indexOf(Math.min(...marked));
    if (!mark(rtnl, index, DOOMED_GROUP + n)) return false;
    marked = marked.with(n, (marked[n] ?? 0) + 1);
    return true;
  };

  // At most one deletion runs and one waits; links marked meanwhile are all taken by the waiting one.
  let running: Promise<void> | undefined;
  let waiting: Promise<void> | undefined;

  const sweep = (): Promise<void> => {
    if (waiting !== undefined) return waiting;
    const before = running ?? Promise.resolve();
    const next = before
      .catch(() => undefined)
      .then(() => {
        waiting = undefined;
        running = next;
        return deleteMarked();
      });
    waiting = next;
    return next;
  };

  // The one deletion that all wait for who said `soon`.
  let planned: Promise<void> | undefined;
  const sweepSoon = (): Promise<void> => {
    planned ??= delay(SOON_MS).then(() => {
      planned = undefined;
      return sweep();
    });
    return planned;
  };

  return {
    doom: async (indexes, when = 'now') => {
      const found = indexes.filter(markOne);
      if (found.length > 0) await (when === 'now' ? sweep() : sweepSoon());
    },
    sweep: () => {
      isEverythingDue = true;
      return sweep();
    },
    close: async () => {
      await planned?.catch(() => undefined);
      await Promise.allSettled([running, waiting]);
      deleter.close();
    },
  };
}

function mark(rtnl: Rtnl, index: number, group: number): boolean {
  try {
    setLink(rtnl, index, { group });
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.errno === ENODEV) return false;
    throw error;
  }
}

function openGroupDeleter(): { readonly run: (group: number) => Promise<void>; readonly close: () => void } {
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int domain, int type, int protocol)');
  const send = libc.func('int64_t send(int fd, void *data, size_t length, int flags)');
  const receive = libc.func('int64_t recv(int fd, void *data, size_t length, int flags)');
  const close = libc.func('int close(int fd)');
  const op = 'delete the doomed links';
  const fd: number = socket(AF_NETLINK, SOCK_RAW_CLOEXEC, 0);
  if (fd < 0) throw new KernelError(op, koffi.errno());
  let sequence = 0;
  let open = true;

  const run = async (group: number): Promise<void> => {
    if (!open) return;
    sequence++;
    const request = encodeMessage(RTM_DELLINK, NLM_F.REQUEST | NLM_F.ACK, sequence, encodeLink({ group }));
    const sent = await new Promise<number>((resolve, reject) => {
      send.async(fd, request, request.length, 0, (error: unknown, result: number) =>
        error === null || error === undefined ? resolve(result) : reject(error),
      );
    });
    if (sent < 0) throw new KernelError(op, EAGAIN, 'the request was not sent');
    const answer = Buffer.alloc(4096);
    for (;;) {
      const length: number = receive(fd, answer, answer.length, MSG_DONTWAIT);
      if (length < 0) throw new KernelError(op, koffi.errno());
      for (const message of decodeMessages(answer.subarray(0, length))) {
        if (message.type !== NLMSG.ERROR || message.sequence !== sequence) continue;
        const error = -readI32(message.payload);
        // An empty group means that the links went by themselves, with their pods' namespaces.
        if (error !== 0 && error !== ENODEV) throw new KernelError(op, error);
        return;
      }
    }
  };
  return {
    run,
    close: () => {
      if (open) close(fd);
      open = false;
    },
  };
}
