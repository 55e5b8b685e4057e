// Taking a lab down: every process, namespace and file of it, whatever state an earlier command left it in.
import { deleteNetns, labNetns } from './netns.ts';
import { torFiles } from './paths.ts';
import { killAll, labProcesses, type Process, readNumber, signal } from './processes.ts';
import { readLabState, removeLabDirectory } from './state.ts';
import { frr, removeFrrScratch } from './tor/frr.ts';

/**
 * Leaves nothing of the lab. Repeating it is no error.
 * @returns whether there was anything
 * @throws Error when something cannot be removed
 */
export async function down(lab: string): Promise<'removed' | 'absent'> {
  const state = readLabState(lab);
  // A command that is still making it would go on making it.
  if (state.kind === 'starting' && state.pid !== process.pid) signal(state.pid, 'SIGKILL');
  const seen = new Map<number, Process>();
  const find = (): readonly Process[] => {
    const found = labProcesses(lab, labNetns(lab));
    for (const each of found) seen.set(each.pid, each);
    return found;
  };
  let namespaces = 0;
  do {
    await killAll(find);
    namespaces += labNetns(lab).length;
    await deleteNetns(lab, labNetns(lab));
    // A program that was on its way into a namespace when it was removed has the lab's mark.
  } while (find().length > 0 || labNetns(lab).length > 0);
  for (const each of seen.values()) removeFrrScratch(each);
  for (const command of frr.daemons) {
    const pid = readNumber(torFiles(lab).daemon(command).pid);
    if (pid !== undefined && !signal(pid, 0)) removeFrrScratch({ pid, command });
  }
  removeLabDirectory(lab);
  return state.kind === 'absent' && seen.size === 0 && namespaces === 0 ? 'absent' : 'removed';
}
