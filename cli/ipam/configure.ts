// `margay ipam configure`: the settings of IPAMConfiguration `default`; without options they are printed.
import { type Command, Option } from 'commander';
import {
  IPAM_CONFIGURATION_NAME,
  type IpamConfiguration,
  leakGraceMs,
} from '../../datastore/resources/ipam-configuration.ts';
import { parseResource } from '../../datastore/resources/parse.ts';
import { unwrap } from '../../lib/result.ts';
import { addDatastoreOptions, type DatastoreOptions } from '../datastore-option.ts';
import { withStore } from './world.ts';

export function registerIpamConfigure(ipam: Command): void {
  const command = ipam
    .command('configure')
    .description('print or change how addresses are assigned')
    .option(
      '--cooldown <seconds>',
      'rest of a released address before somebody else gets it: 0 to 1200',
      whole('--cooldown'),
    )
    .option(
      '--max-blocks <number>',
      'most blocks of one family on a node; 0: as many as it needs',
      whole('--max-blocks'),
    )
    .option(
      '--leak-grace <seconds>',
      'how long nobody uses what is set free by itself: 1 to 86400, 0: never',
      whole('--leak-grace'),
    )
    .addOption(
      new Option('--auto-allocate-blocks <bool>', 'whether nodes claim blocks as they need them').choices([
        'true',
        'false',
      ]),
    );
  addDatastoreOptions(command).action(configure);
}

type ConfigureOptions = DatastoreOptions & {
  readonly cooldown?: number;
  readonly maxBlocks?: number;
  readonly leakGrace?: number;
  readonly autoAllocateBlocks?: 'true' | 'false';
};

async function configure(given: ConfigureOptions): Promise<void> {
  const { cooldown, maxBlocks, leakGrace, autoAllocateBlocks, ...options } = given;
  await withStore(options, async (store) => {
    const stored = await store.get('IPAMConfiguration', undefined, IPAM_CONFIGURATION_NAME);
    const changes = {
      ...(cooldown === undefined ? {} : { ipCooldownSeconds: cooldown }),
      ...(maxBlocks === undefined ? {} : { maxBlocksPerHost: maxBlocks }),
      ...(leakGrace === undefined ? {} : { leakGraceSeconds: leakGrace }),
      ...(autoAllocateBlocks === undefined ? {} : { autoAllocateBlocks: autoAllocateBlocks === 'true' }),
    };
    if (Object.keys(changes).length === 0) return print(stored);
    const wanted = {
      apiVersion: 'projectcalico.org/v3',
      kind: 'IPAMConfiguration',
      ...stored,
      metadata: stored?.metadata ?? { name: IPAM_CONFIGURATION_NAME },
      spec: { ...stored?.spec, ...changes },
    };
    const parsed = unwrap(parseResource(wanted));
    const written = stored === undefined ? await store.create(parsed) : await store.update(parsed);
    if (written.kind === 'IPAMConfiguration') print(written);
  });
}

function print(configuration: IpamConfiguration | undefined): void {
  const { ipCooldownSeconds = 0, maxBlocksPerHost = 0, autoAllocateBlocks = true } = configuration?.spec ?? {};
  console.log(`cooldown: ${ipCooldownSeconds} s`);
  console.log(`max blocks: ${maxBlocksPerHost === 0 ? 'as many as a node needs' : maxBlocksPerHost}`);
  console.log(
    `new blocks: ${autoAllocateBlocks ? 'claimed as nodes need them' : 'none, nodes go on with those that they have'}`,
  );
  const graceMs = leakGraceMs(configuration);
  console.log(`leak grace: ${graceMs === undefined ? 'nothing is set free by itself' : `${graceMs / 1000} s`}`);
}

/** A parser of this option. What it may be at most is the object's to say. */
function whole(option: string): (text: string) => number {
  return (text) => {
    if (!/^\d{1,9}$/.test(text))
      throw new Error(`Cannot use ${option} "${text}": expected a whole number of at most nine digits`);
    return Number(text);
  };
}
