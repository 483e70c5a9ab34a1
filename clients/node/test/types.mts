// What the types promise to somebody who imports. Nothing here runs: tsc reads it, and
// each line under @ts-expect-error must be a mistake.
import { DEFAULT_TOLERANCE_SECONDS, WebhookError, parse, unwrap, verify } from '@compliancelayer/webhooks';
import type { BaseEvent, Verified, WebhookErrorCode, WebhookEvent } from '@compliancelayer/webhooks';

const body = new Uint8Array();
const secrets = ['whsec_', undefined, null];

const verified: Verified = verify({ headers: { 'webhook-id': 'a', cookie: ['b'], other: undefined }, body, secrets });
export const index: number = verified.secretIndex;
verify({ headers: new Headers(), body: 'text', secrets: 'whsec_,whsec_', now: new Date(), toleranceSeconds: DEFAULT_TOLERANCE_SECONDS });
verify({ headers: [['webhook-id', 'a']], body: new ArrayBuffer(1), secrets, now: Date.now() });
verify({ headers: ['webhook-id', 'a'], body: new DataView(new ArrayBuffer(1)), secrets });
verify({ headers: new Map([['webhook-id', 'a']]), body, secrets });
// @ts-expect-error a parsed object is no raw body
verify({ headers: {}, body: { id: 'a' }, secrets });
// @ts-expect-error secrets are needed
verify({ headers: {}, body });
// @ts-expect-error there is no such scheme
export const scheme: 'v2' = verified.scheme;

export function handle(event: WebhookEvent): string | number {
  if (event.test) return event.data.message ?? 'no message';
  switch (event.type) {
    case 'scan.completed':
      // @ts-expect-error an alert's
      event.data.severity;
      return event.data.critical_issues + event.createdAt.getTime();
    case 'alert.triggered': {
      const score: number | null | undefined = event.data.score;
      return score ?? event.data.severity;
    }
    case 'score.changed':
      return String(event.data.old_value);
    case 'domain.added':
      return event.data.added_at;
    case 'domain.removed':
      return event.data.removed_at;
    default:
      return 0;
  }
}

handle(unwrap({ headers: {}, body, secrets }));
handle(parse(body));

interface Mine extends BaseEvent<'invoice.paid', { amount: number }, false> {}
const mine = unwrap<WebhookEvent | Mine>({ headers: {}, body, secrets });
if (!mine.test && mine.type === 'invoice.paid') mine.data.amount.toFixed(2);

try {
  parse(body);
} catch (error) {
  if (error instanceof WebhookError) {
    const code: WebhookErrorCode = error.code;
    const status: number = error.statusCode;
    // @ts-expect-error it is for reading
    error.code = code;
    console.log(status, error.message);
  }
}
