// gobgpd 4.x, service `api.GoBgpService`.
import { createCodec } from '../api/create-codec.ts';
import { paths } from './paths.ts';

export const v4 = createCodec({
  generation: '4.x',
  service: 'api.GoBgpService',
  shift: 1,
  paths,
  resetWithdraws: true,
});
