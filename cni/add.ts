// ADD: address, links, then the pod's rules and routes, and only then the answer. Whatever fails, nothing stays.
import { setImmediate } from 'node:timers/promises';
import { CONTAINER_NAMESPACE, type Handle, partsOf } from '../ipam/handle.ts';
import type { AssignOutcome } from '../ipam/ipam.ts';
import { JournalError } from '../ipam/journal-error.ts';
import { type Family, ipFamily } from '../lib/ip.ts';
import { hostIfName, type IfName } from '../lib/linux/if-name.ts';
import { createUndo } from '../lib/undo.ts';
import { type Attachment, attachmentOf } from './attachment.ts';
import { CNI_CODE, CniError } from './errors.ts';
import type { CniDeps } from './handler.ts';
import { printResult } from './result.ts';
import type { CniRequest } from './spec.ts';
import type { Wiring } from './wiring.ts';
import { type Wishes, wishesOf } from './wishes.ts';

type Add = Extract<CniRequest, { kind: 'add' }>;

/** Bytes; the kernel refuses addresses on links with less (RFC 8200 §5). */
const IPV6_MIN_MTU = 1280;

/** @returns the result as JSON. @throws CniError */
export async function add(deps: CniDeps, request: Add, signal: AbortSignal): Promise<string> {
  // One that waited for its turn longer than its caller takes nothing away from those who were before it.
  if (signal.aborted) throw abandoned(request);
  const { ipam, wiring, endpoints, log } = deps;
  const { handle, containerId, ifName, netns, namespace, pod, uid, config } = request;
  const hostName = hostIfName(namespace, pod);
  const who = { namespace, pod, ...(uid === undefined ? {} : { uid }) };
  const facts = namespace === CONTAINER_NAMESPACE ? undefined : await deps.podFacts?.(who);
  const wishes = wishesOf(request, facts, deps.podAddressRequests);
  if (wishes.ignored.length > 0) log.warn({ ignored: wishes.ignored, handle }, 'annotations of a pod are not used');
  const families = familiesFor(deps, wishes, namespace);
  const mtu = config.mtu === undefined || config.mtu === 0 ? deps.mtu() : config.mtu;
  if (mtu < IPV6_MIN_MTU && [...families, ...wishes.requested.map(ipFamily)].includes(6)) throw tooSmall(mtu, request);
  refuseTakenName(deps, request, hostName);
  await clearLeftovers(deps, request);

  await using undo = createUndo((what, error) => log.error({ err: error, what, handle }, 'cannot undo an ADD'));
  const outcome = await ipam.assign({
    handle,
    ...who,
    netns,
    hostIfName: hostName,
    families,
    requested: wishes.requested,
    pools: wishes.pools,
  });
  const { ips } = assigned(outcome, request);
  undo.push('release the addresses', () => {
    ipam.release(handle);
  });

  const { mac } = await wiring.wirePod({
    handle,
    netns,
    ifName,
    hostIfName: hostName,
    ips,
    mtu,
    ...(wishes.mac === undefined ? {} : { mac: wishes.mac }),
  });
  undo.push('remove the links', () => wiring.unwirePod({ handle, hostIfName: hostName }));

  const attachment: Attachment = { handle, containerId, ifName, netns, ...who, hostIfName: hostName, ips, mac };
  undo.push('take back rules and routes', () => endpoints.detach(attachment));
  await applied(() => endpoints.attach(attachment), attachment);
  markAttached(deps, attachment, mtu);

  const { dns } = config;
  const result = { hostIfName: hostName, ifName, netns, mac, ips, mtu, ...(dns === undefined ? {} : { dns }) };
  const answer = printResult(result, config.cniVersion);
  await callersHeard();
  if (signal.aborted) throw abandoned(request);
  undo.commit();
  return answer;
}

/**
 * A caller that has gone is known to have gone. The loop asks the kernel between two of its rounds of immediates, and all
 * the work may have been done in the round of the call itself, with no question since.
 */
async function callersHeard(): Promise<void> {
  await setImmediate();
  await setImmediate();
}

function familiesFor(deps: CniDeps, wishes: Wishes, namespace: string): readonly Family[] {
  // A pool that is named may be the only one of its family, and serve nobody else.
  const named = ([4, 6] as const).filter((family) => wishes.pools[family] !== undefined);
  const served = wishes.families ?? [...new Set([...(deps.families?.(namespace) ?? [4]), ...named])];
  // Without any pool, the refusal shall name what is missing.
  return served.length === 0 ? [4] : served;
}

// The name of a host end is a hash of 44 bits. Only an earlier sandbox of the same pod makes room.
function refuseTakenName({ ipam, wiring }: CniDeps, request: Add, hostName: IfName): void {
  const { handle, containerId, ifName, namespace, pod } = request;
  const holders = ipam
    .assignments()
    .filter((each) => each.hostIfName === hostName && each.state === 'attached' && each.handle !== handle);
  const other = holders.find((each) => each.namespace !== namespace || each.pod !== pod);
  if (other !== undefined) {
    throw new CniError(
      CNI_CODE.wiring,
      `Cannot attach pod "${namespace}/${pod}": its interface "${hostName}" on the node is that of pod "${other.namespace}/${other.pod}", expected a name of its own`,
      'The names of these two pods have the same hash: give one of them another name, or run it on another node',
    );
  }
  const siblings = holders.map((each) => each.handle).filter((each) => partsOf(each).containerId === containerId);
  const standing = siblings.find((each) => stands(wiring, each));
  if (standing === undefined) return;
  const sibling = partsOf(standing);
  throw new CniError(
    CNI_CODE.alreadyAttached,
    `Cannot attach interface "${ifName}" of network "${partsOf(handle).network}": the container has "${sibling.ifName}" of network "${sibling.network}", expected one interface per pod`,
    'Call DEL for the other one first',
  );
}

// What an ADD left that was killed half-way, or whose namespace is gone. An attachment that stands is an error.
async function clearLeftovers({ ipam, wiring, endpoints, log }: CniDeps, { handle, ifName }: Add): Promise<void> {
  const before = ipam.find(handle);
  if (before === undefined) return;
  if (before.state === 'attached' && stands(wiring, handle)) {
    throw new CniError(
      CNI_CODE.alreadyAttached,
      `Cannot attach interface "${ifName}": this container has it with ${before.ips.join(', ')}, expected none`,
      'Call DEL for this container first',
    );
  }
  log.info({ handle, ips: before.ips }, 'clearing what an earlier ADD left');
  await endpoints.detach(attachmentOf(before));
  await wiring.unwirePod({ handle, hostIfName: before.hostIfName });
  ipam.release(handle);
}

// Asked of its link: the namespace may have another path by now, and the path lead to another namespace.
const stands = (wiring: Wiring, handle: Handle): boolean => wiring.wired().some((link) => link.handle === handle);

function assigned(outcome: AssignOutcome, { namespace, pod }: Add) {
  const sentence = (why: string): string => `Cannot assign an address to pod "${namespace}/${pod}": ${why}`;
  switch (outcome.kind) {
    case 'assigned':
      return outcome.assignment;
    case 'exhausted':
      throw new CniError(
        CNI_CODE.addressesExhausted,
        sentence(outcome.why),
        'Delete pods, add an IPPool, or allow this node more blocks',
      );
    case 'no-pool':
      throw new CniError(CNI_CODE.noPool, sentence(outcome.why), 'Create or enable an IPPool that this node may use');
    case 'unavailable':
      throw new CniError(CNI_CODE.tryAgain, sentence(outcome.why), 'The next attempt may succeed');
    case 'taken':
      throw new CniError(CNI_CODE.addressesExhausted, sentence(outcome.why));
    default:
      return outcome satisfies never;
  }
}

async function applied(effect: () => Promise<void>, { namespace, pod }: Attachment): Promise<void> {
  try {
    await effect();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CniError(
      CNI_CODE.notApplied,
      `Cannot attach pod "${namespace}/${pod}": rules and routes are not in place`,
      why,
    );
  }
}

// A disk may be full by now that was not when the address was written down.
function markAttached({ ipam }: CniDeps, { handle, namespace, pod, mac }: Attachment, mtu: number): void {
  try {
    ipam.markAttached(handle, { mac, mtu });
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    const message = `Cannot attach pod "${namespace}/${pod}": ${error.message}`;
    throw new CniError(CNI_CODE.tryAgain, message, 'The next attempt may succeed');
  }
}

const tooSmall = (mtu: number, { namespace, pod }: Add): CniError =>
  new CniError(
    CNI_CODE.invalidConfig,
    `Cannot attach pod "${namespace}/${pod}" with IPv6 and an MTU of ${mtu}: expected ${IPV6_MIN_MTU} or more`,
    'Raise "mtu" of the network configuration or of the uplink, or give the pod IPv4 alone',
  );

const abandoned = ({ namespace, pod }: Add): CniError =>
  new CniError(
    CNI_CODE.tryAgain,
    `Cannot attach pod "${namespace}/${pod}": the runtime stopped waiting for the answer`,
  );
