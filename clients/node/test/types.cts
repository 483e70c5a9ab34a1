// The same for somebody who requires.
import webhooks = require('@compliancelayer/webhooks');

export const event: webhooks.WebhookEvent = webhooks.unwrap({ headers: {}, body: '', secrets: [] });
export const error: Error = new webhooks.WebhookError('mismatch');
// @ts-expect-error there is no such code
new webhooks.WebhookError('nonsense');
