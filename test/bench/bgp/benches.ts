// The benchmarks of BGP and of routes, in the order of their report.
import type { Bench } from '../types.ts';
import { fib } from './fib.ts';
import { mesh } from './mesh.ts';
import { remote } from './remote.ts';
import { restart } from './restart.ts';

export const bgpBenches: readonly Bench[] = [remote, fib, restart, mesh];
