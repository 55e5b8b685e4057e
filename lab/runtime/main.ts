// The lab's kubelet, scheduler and container runtime, for all nodes in one process: it runs what the datastore's Pod
// objects say. It may be killed at any time; the next one goes on from the records.
//   main.ts LAB
import { openEmbeddedStore } from '../../datastore/embedded/open.ts';
import type { Store } from '../../datastore/store.ts';
import { createLog, type Log } from '../../lib/log.ts';
import { labFiles } from '../paths.ts';
import { readSpec } from '../state.ts';
import { createReconciler, type Reconciler } from './reconcile.ts';

const [lab = ''] = process.argv.slice(2);
const log = createLog('lab-runtime');
const spec = readSpec(lab);
if (spec === undefined) throw new Error(`Cannot run pods of lab "${lab}": there is no such lab`);
const store = openEmbeddedStore({ path: labFiles(lab).datastore, missing: 'refuse' });
const reconciler = createReconciler(spec, store, log);
setInterval(reconciler.checkProcesses, 1000);
await follow(store, reconciler, log);

// A watch that ends is a reason to start anew: the supervisor does that, from a fresh snapshot.
async function follow({ watch }: Store, { see, start }: Reconciler, to: Log): Promise<void> {
  for await (const event of watch(['Pod'], new AbortController().signal)) {
    switch (event.kind) {
      case 'put':
        if (event.resource.kind === 'Pod') {
          const { namespace, name } = event.resource.metadata;
          see(`${namespace}/${name}`, event.resource);
        }
        break;
      case 'delete':
        see(event.key.slice('Pod/'.length), undefined);
        break;
      case 'invalid':
        to.error({ key: event.key, error: event.error }, 'pod is not valid');
        break;
      case 'in-sync':
        start();
        break;
      default:
        event satisfies never;
    }
  }
}
