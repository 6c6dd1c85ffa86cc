import { expect, it } from 'vitest';
import { guardedLookup } from '../../../src/signalling/guarded-lookup.js';

const resolve = (admit: (ip: string) => boolean, all: boolean) =>
  new Promise((resolved, rejected) => {
    guardedLookup(admit)('localhost', { all }, (error, address, family) => {
      if (error) rejected(error);
      else resolved(all ? address : { address, family });
    });
  });

it('passes on what is admitted, in either form', async () => {
  expect(await resolve(ip => ip === '127.0.0.1', false)).toEqual({ address: '127.0.0.1', family: 4 });
  expect(await resolve(ip => ip === '127.0.0.1', true)).toEqual([{ address: '127.0.0.1', family: 4 }]);
});

it('fails when nothing is', async () => {
  await expect(resolve(() => false, false)).rejects.toMatchObject({ code: 'EACCES' });
});
