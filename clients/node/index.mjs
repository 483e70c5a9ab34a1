// One copy of the code for both ways to load it, so that instanceof WebhookError is
// true in either.
import webhooks from './index.js';

export const { DEFAULT_TOLERANCE_SECONDS, WebhookError, checkSecrets, parse, unwrap, verify } = webhooks;
