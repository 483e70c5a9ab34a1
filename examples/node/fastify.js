// A receiver under Fastify.
//
//	COMPLIANCELAYER_SECRET=whsec_... LISTEN=127.0.0.1:8090 node fastify.js
//
// With SLACK_TOKEN and SLACK_CHANNEL it posts to Slack; SLACK_API=http://127.0.0.1:9000/api has it
// post to a stand-in of yours, in tests.
import Fastify from 'fastify';
import { checkSecrets, unwrap } from '@compliancelayer/webhooks';
import { handle } from './handle.js';
import { Inbox } from './inbox.js';

const secrets = process.env.COMPLIANCELAYER_SECRET; // two during a rotation, with a comma between
checkSecrets(secrets);
const inbox = await Inbox.open('inbox', handle);

const app = Fastify({ bodyLimit: 1 << 20 });
// A scope of its own, so that other routes still get JSON parsed: the signature is of
// the bytes that came.
app.register(async (webhooks) => {
  webhooks.removeAllContentTypeParsers();
  webhooks.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => done(null, body));
  webhooks.post('/webhooks/compliancelayer', async (request) => {
    // Fastify answers a WebhookError with its statusCode.
    const event = unwrap({ headers: request.headers, body: request.body ?? '', secrets });
    return (await inbox.keep(event, request.body)) ? 'kept' : 'known';
  });
});
app.addHook('onClose', () => inbox.close());

const [host, port] = (process.env.LISTEN ?? '127.0.0.1:8090').split(':');
console.log(`listening on ${await app.listen({ host, port: Number(port) })}`);
process.once('SIGTERM', () => app.close());
