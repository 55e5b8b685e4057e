// `margay ipam release --from-report FILE`: sets free what a check found leaked. Everything is looked at again: by the
// agent for addresses, by version for blocks, so that an old report does no harm.
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { z } from 'zod';
import type { Store } from '../../datastore/store.ts';
import type { AddressRelease, BlockRelease } from '../../ipam/model/check.ts';
import { checkIpam } from '../../ipam/model/check.ts';
import { ipamViewSchema } from '../../ipam/view.ts';
import { askAgent } from './ask-agent.ts';
import { type IpamOptions, readIpamWorld, socketsOf, withIpamOptions, withStore } from './world.ts';

export function registerIpamRelease(ipam: Command): void {
  const command = ipam
    .command('release')
    .description('set free what "ipam check" found leaked')
    .requiredOption('--from-report <file>', 'report of "ipam check --output"');
  withIpamOptions(command).action(release);
}

const reportSchema = z.object({
  findings: z.array(
    z.object({
      why: z.string(),
      release: z
        .discriminatedUnion('kind', [
          z.object({ kind: z.literal('address'), node: z.string(), handle: z.string(), sequence: z.int() }),
          z.object({ kind: z.literal('block'), block: z.string(), version: z.string() }),
        ])
        .exactOptional(),
    }),
  ),
});

async function release({ fromReport, ...options }: IpamOptions & { readonly fromReport: string }): Promise<void> {
  const asked = readReport(fromReport);
  await withStore(options, async (store) => {
    const sockets = asked.some(({ kind }) => kind === 'address') ? await socketsByNode(options) : new Map();
    for (const each of asked) {
      try {
        const what =
          each.kind === 'address' ? await releaseAddress(each, sockets) : await releaseBlock(each, store, options);
        console.log(`released ${what}`);
      } catch (error) {
        process.exitCode = 1;
        console.error(`margay: ${error instanceof Error ? error.message : error}`);
      }
    }
  });
  if (asked.length === 0) console.log('nothing to release');
}

function readReport(path: string): readonly (AddressRelease | BlockRelease)[] {
  const text = readText(path);
  try {
    const { findings } = reportSchema.parse(JSON.parse(text));
    return findings.flatMap(({ release: each }) => (each === undefined ? [] : [each]));
  } catch (cause) {
    throw new Error(`Cannot read report "${path}": is not one of "margay ipam check --output", expected one`, {
      cause,
    });
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : cause;
    throw new Error(`Cannot read report "${path}": ${why}, expected a file of "margay ipam check --output"`, { cause });
  }
}

async function socketsByNode(options: IpamOptions): Promise<ReadonlyMap<string, string>> {
  const found = await Promise.allSettled(
    socketsOf(options).map(async (socket) => {
      const { node } = ipamViewSchema.parse(JSON.parse(await askAgent(socket, 'GET', '/v1/ipam')));
      return [node, socket] as const;
    }),
  );
  return new Map(found.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : [])));
}

const releasedSchema = z.object({ released: z.array(z.string()) });

/** What was released, in words, as of the next one. */
async function releaseAddress(
  { node, handle, sequence }: AddressRelease,
  sockets: ReadonlyMap<string, string>,
): Promise<string> {
  const socket = sockets.get(node);
  if (socket === undefined) throw new Error(`Cannot release "${handle}": the agent of node "${node}" does not answer`);
  const query = new URLSearchParams({ handle, sequence: String(sequence) });
  const answer = await askAgent(socket, 'POST', `/v1/ipam/release?${query}`);
  const { released } = releasedSchema.parse(JSON.parse(answer));
  return `address ${released.join(', ') || handle} of node "${node}"`;
}

// A pod may have got an address of the block since the report, so that the check must say the same again.
async function releaseBlock({ block, version }: BlockRelease, store: Store, options: IpamOptions): Promise<string> {
  const findings = checkIpam(await readIpamWorld(store, options));
  const isStill = findings.some(
    ({ release: each }) => each?.kind === 'block' && each.block === block && each.version === version,
  );
  if (!isStill) throw new Error(`Cannot release block "${block}": is not what the report says, expected a new report`);
  await store.delete('IPBlock', undefined, block, version);
  return `block "${block}"`;
}
