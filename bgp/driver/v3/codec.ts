// gobgpd 3.x, service `apipb.GobgpApi`.
import { createCodec } from '../api/create-codec.ts';
import { paths } from './paths.ts';

export const v3 = createCodec({
  generation: '3.x',
  service: 'apipb.GobgpApi',
  shift: 0,
  paths,
  resetWithdraws: false,
});
