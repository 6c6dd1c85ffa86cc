import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { expect, it } from 'vitest';
import { selfSignedCertificate } from '../../../src/identity/certificate.js';
import { createIdentity, rawPublicKey } from '../../../src/identity/keys.js';

it('is a certificate that its own Ed25519 key has signed', () => {
  const identity = createIdentity();
  const certificate = new X509Certificate(selfSignedCertificate(identity));
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.checkPrivateKey(identity.privateKey)).toBe(true);
  expect(rawPublicKey('ed25519', certificate.publicKey)?.equals(identity.publicKey)).toBe(true);
  expect(certificate.verify(new X509Certificate(selfSignedCertificate(createIdentity())).publicKey)).toBe(
    false,
  );
});

it('tells nothing but the key, and is the same each time', () => {
  const identity = createIdentity();
  const pem = selfSignedCertificate(identity);
  expect(selfSignedCertificate(createIdentity(identity.privateKey))).toBe(pem);
  const { subject, issuer, validFrom, validTo, serialNumber } = new X509Certificate(pem);
  expect({ subject, issuer, validFrom, validTo, serialNumber }).toEqual({
    subject: 'CN=wayleave',
    issuer: 'CN=wayleave',
    validFrom: 'Jan  1 00:00:00 2000 GMT',
    validTo: 'Dec 31 23:59:59 9999 GMT',
    serialNumber: '01',
  });
});

it('serves both ends of TLS 1.3', async () => {
  const ends = [createIdentity(), createIdentity()] as const;
  const options = ends.map(identity => ({
    cert: selfSignedCertificate(identity),
    key: identity.privateKey.export({ format: 'pem', type: 'pkcs8' }),
    minVersion: 'TLSv1.3' as const,
    rejectUnauthorized: false,
  }));
  const server = createServer({ ...options[0], requestCert: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect({
    ...options[1],
    host: '127.0.0.1',
    port: (server.address() as { port: number }).port,
  });
  const [[far]] = (await Promise.all([once(server, 'secureConnection'), once(client, 'secureConnect')])) as [
    [TLSSocket],
    unknown,
  ];
  const keyOf = (socket: TLSSocket) => rawPublicKey('ed25519', socket.getPeerX509Certificate()!.publicKey);
  expect(keyOf(client)?.equals(ends[0].publicKey)).toBe(true);
  expect(keyOf(far)?.equals(ends[1].publicKey)).toBe(true);
  client.destroy();
  far.destroy();
  server.close();
});
