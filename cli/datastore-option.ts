// Which datastore a command works on: `--datastore PATH`, MARGAY_DATASTORE, or the datastore of a lab.
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { openEmbeddedStore } from '../datastore/embedded/open.ts';
import type { Store } from '../datastore/store.ts';
import { labFiles } from '../lab/paths.ts';

export type DatastoreOptions = { readonly datastore?: string; readonly lab?: string };

/** Adds `--datastore` and `--lab`. */
export function addDatastoreOptions(command: Command): Command {
  return command
    .option('--datastore <path>', 'datastore file (default: MARGAY_DATASTORE, else that of the lab)')
    .option('--lab <name>', 'lab whose datastore is meant (default: MARGAY_LAB, else "default")');
}

/**
 * Opens the datastore that is meant. A missing one is created only where its file is named: that of a lab is the lab's.
 * @throws Error that says how to start a lab when there is none, StoreError unavailable
 */
export function openCliStore(options: DatastoreOptions, missing: 'create' | 'refuse' = 'refuse'): Store {
  const path = options.datastore ?? (options.lab === undefined ? process.env['MARGAY_DATASTORE'] : undefined);
  if (path !== undefined && path !== '') return openEmbeddedStore({ path, missing });
  if (missing === 'create') throw new Error('Cannot create a datastore: no file is named, expected --datastore PATH');
  const lab = options.lab ?? process.env['MARGAY_LAB'] ?? 'default';
  if (!/^[a-z0-9]{1,12}$/.test(lab)) {
    throw new Error(`Cannot open datastore of lab "${lab}": bad name, expected 1 to 12 lower case letters and digits`);
  }
  const { datastore } = labFiles(lab);
  if (!existsSync(datastore)) {
    const start = lab === 'default' ? './margay lab up' : `./margay lab up --name ${lab}`;
    throw new Error(`Cannot open datastore "${datastore}": no lab "${lab}" is up, expected one (start it: ${start})`);
  }
  return openEmbeddedStore({ path: datastore, missing: 'refuse' });
}
