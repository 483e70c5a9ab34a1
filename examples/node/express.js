// A receiver under Express.
//
//	COMPLIANCELAYER_SECRET=whsec_... LISTEN=127.0.0.1:8090 node express.js
//
// With SLACK_TOKEN and SLACK_CHANNEL it posts to Slack; SLACK_API=http://127.0.0.1:9000/api has it
// post to a stand-in of yours, in tests.
import express from 'express';
import { WebhookError, checkSecrets, unwrap } from '@compliancelayer/webhooks';
import { handle } from './handle.js';
import { Inbox } from './inbox.js';

const secrets = process.env.COMPLIANCELAYER_SECRET; // two during a rotation, with a comma between
checkSecrets(secrets);
const inbox = await Inbox.open('inbox', handle);

const app = express();
// On this route, and before any express.json(): the signature is of the bytes that came.
app.post('/webhooks/compliancelayer', express.raw({ type: '*/*', limit: '1mb' }), async (request, response) => {
  const event = unwrap({ headers: request.headers, body: request.body ?? '', secrets });
  response.send((await inbox.keep(event, request.body)) ? 'kept' : 'known');
});
// Anything but 2xx makes the sender come again.
app.use((error, request, response, next) => {
  console.error(error.message);
  response.status(error.statusCode ?? 503).send(error instanceof WebhookError ? error.code : 'not kept');
});

const [host, port] = (process.env.LISTEN ?? '127.0.0.1:8090').split(':');
const server = app.listen(Number(port), host, (error) => {
  if (error) throw error;
  console.log(`listening on ${host}:${port}`);
});
process.once('SIGTERM', () => {
  server.close(() => inbox.close());
  server.closeIdleConnections();
});
