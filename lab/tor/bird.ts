// BIRD 2 as the ToR.
import { writeFileSync } from 'node:fs';
import { startDaemon } from '../daemon.ts';
import { torFiles, torNetns } from '../paths.ts';
import { type LabSpec, NODE_ASN, POD_POOL, TOR_ASN } from '../spec.ts';
import type { Tor } from './tor.ts';

export const bird: Tor = {
  requires: [{ program: 'bird', package: 'bird2' }],
  daemons: ['bird'],
  start: async (spec) => {
    const files = torFiles(spec.name);
    const config = files.file('bird.conf');
    writeFileSync(config, printBirdConfig(spec), { mode: 0o600 });
    await startDaemon({
      lab: spec.name,
      netns: torNetns(spec.name),
      command: ['bird', '-f', '-c', config, '-s', files.file('bird.ctl')],
      files: files.daemon('bird'),
    });
  },
};

/** The configuration file of BIRD 2. */
export function printBirdConfig({ tor, nodes }: LabSpec): string {
  return `log stderr all;
router id ${tor.address};
protocol device { scan time 10; }
protocol kernel {
  merge paths on;
  ipv4 { import none; export where source = RTS_BGP; };
}
protocol static leak {
  ipv4;
  route 0.0.0.0/0 unreachable;
}
template bgp rack {
  local ${tor.address} as ${TOR_ASN};
  connect delay time 1;
  connect retry time 2;
  error wait time 1, 5;
  ipv4 {
    import where net ~ [ ${POD_POOL}+ ];
    export where proto = "leak";
  };
}
${nodes.map(({ name, address }) => `protocol bgp ${name} from rack { neighbor ${address} as ${NODE_ASN}; }`).join('\n')}
`;
}
