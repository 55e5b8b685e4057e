// BIRD in a namespace, with any configuration, and questions to it.
import { execFileSync } from 'node:child_process';
import { openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestNetns } from './netns.ts';

export type Bird = {
  /** birdc(8). */
  readonly ask: (...words: readonly string[]) => Promise<string>;
  /** Takes another configuration without a restart. */
  readonly configure: (configuration: string) => Promise<void>;
};

/** `folder` is for its files, named after `name`. */
export function startBirdWith(netns: TestNetns, folder: string, name: string, configuration: string): Bird {
  const file = (ending: string): string => join(folder, `${name}.${ending}`);
  writeFileSync(file('conf'), configuration);
  execFileSync('bird', ['-p', '-c', file('conf')]);
  const log = openSync(file('out'), 'a');
  netns.spawn('bird', ['-f', '-c', file('conf'), '-s', file('ctl'), '-P', file('pid')], {
    stdio: ['ignore', log, log],
  });
  const ask: Bird['ask'] = (...words) => netns.exec('birdc', '-s', file('ctl'), ...words);
  return {
    ask,
    configure: async (next) => {
      writeFileSync(file('conf'), next);
      const answer = await ask('configure');
      if (!/Reconfigur/.test(answer)) throw new Error(`BIRD does not take its configuration: ${answer}`);
    },
  };
}
