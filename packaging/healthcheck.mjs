// Whether the server of this container lives: exit 0 if /healthz says so, with TLS or without. It asks where
// WAYLEAVE_SERVER_HOST and WAYLEAVE_SERVER_PORT say; the certificate is not checked, for it has another name.
import { request as plain } from 'node:http';
import { request as secure } from 'node:https';

const { WAYLEAVE_SERVER_HOST: host = '127.0.0.1', WAYLEAVE_SERVER_PORT: port = 7443 } = process.env;
const ask = request =>
  new Promise((resolve, reject) => {
    const options = { host, port, path: '/healthz', rejectUnauthorized: false, timeout: 2000 };
    const asked = request(options, response => resolve(response.resume().statusCode));
    asked.on('timeout', () => asked.destroy(new Error('no answer'))).on('error', reject);
    asked.end();
  });

const status = await ask(plain)
  .catch(() => ask(secure))
  .catch(() => undefined);
process.exit(status === 200 ? 0 : 1);
