/** How far the time of a request may be from now, both ways: five minutes. */
export declare const DEFAULT_TOLERANCE_SECONDS: 300;

/**
 * Why something is refused.
 *
 * - `no_signature`, `bad_header`, `mismatch`, `too_old`, `too_new`: the request is not
 *   genuine, or not of now. Answer 401.
 * - `bad_event`: the body is no event. Answer 400.
 * - `no_secret`, `bad_secret`, `bad_argument`: the receiver is set up wrongly or calls
 *   this library wrongly. Answer 500, so that the sender comes again.
 */
export type WebhookErrorCode =
  | 'bad_argument'
  | 'bad_event'
  | 'bad_header'
  | 'bad_secret'
  | 'mismatch'
  | 'no_secret'
  | 'no_signature'
  | 'too_new'
  | 'too_old';

/**
 * The only error that is thrown here. Its message says in words what is wrong and never
 * quotes a secret, a signature or the body.
 */
export declare class WebhookError extends Error {
  constructor(code: WebhookErrorCode, message?: string);
  readonly name: 'WebhookError';
  readonly code: WebhookErrorCode;
  /** The status to answer with. Express and Fastify use it for an error nobody caught. */
  readonly statusCode: 400 | 401 | 500;
}

/** One value of a header, or several when it was repeated. */
export type HeaderValue = string | number | readonly string[] | null | undefined;

/**
 * The headers of a request: the `headers` of node:http, Express or Fastify, a `Headers`,
 * a Map, pairs, or the flat list `rawHeaders` of node:http.
 */
export type RequestHeaders =
  | { readonly [name: string]: HeaderValue }
  | Iterable<readonly [string, HeaderValue]>
  | readonly string[];

/** The raw body: the very bytes that arrived, or their text. A parsed object is refused. */
export type RawBody = ArrayBuffer | ArrayBufferView | string;

export type Secrets = string | readonly (string | null | undefined)[];

export interface VerifyRequest {
  headers: RequestHeaders;
  body: RawBody;
  /**
   * The secrets of the endpoint, `whsec_...` each: during a rotation the old one and the
   * new one. Empty ones are passed over. A text may hold several, with commas between.
   */
  secrets: Secrets;
  /** The time to compare with, a Date or milliseconds as of Date.now(), which is the default. */
  now?: Date | number;
  /** How far the time of the request may be from now; 300 when it is not above 0. */
  toleranceSeconds?: number;
}

export interface Verified {
  /**
   * The signature that was checked: `standard` is webhook-signature, which covers the
   * time; `simple` is X-ComplianceLayer-Signature, which covers the body alone, so that
   * only skipping known ids keeps an old request from being sent again.
   */
  scheme: 'simple' | 'standard';
  /** The place of the matching secret among those given. */
  secretIndex: number;
}

/** An event of any type. */
export interface BaseEvent<Type extends string = string, Data = unknown, Test extends boolean = boolean> {
  /** The same however often the event is sent: what duplicates are found by. */
  id: string;
  type: Type;
  /** When the sender accepted the event. Order is not promised: compare this. */
  createdAt: Date;
  data: Data;
  /** The data as it was sent. Numbers beyond 2^53 are whole only here. */
  dataText: string;
  /** Somebody pressed Test at the sender: data.test is true. */
  test: Test;
}

export interface ScanCompleted {
  scan_id: number;
  job_id: number;
  domain: string;
  /** 0 is worst, 100 is best. */
  score: number;
  /** A letter, perhaps with + or -. */
  grade: string;
  issues_count: number;
  critical_issues: number;
  high_issues: number;
  medium_issues: number;
  low_issues: number;
  scanned_at: string;
  scan_duration_ms: number;
}

export type AlertType = 'score_drop' | 'critical_issue' | 'cert_expired' | 'cert_expiring_soon' | 'config_change';
export type Severity = 'critical' | 'high' | 'medium' | 'low' | 'info';

/** A value before or after; which kind it is depends on what changed. */
export type Value = string | number | boolean | null;

export interface AlertTriggered {
  alert_id: number;
  alert_type: AlertType;
  severity: Severity;
  domain: string;
  title: string;
  message: string;
  old_value?: Value;
  new_value?: Value;
  score?: number | null;
  grade?: string | null;
  created_at: string;
}

export interface ScoreChanged {
  domain: string;
  old_value?: Value;
  new_value?: Value;
  score?: number | null;
  grade?: string | null;
}

export interface DomainAdded {
  domain: string;
  added_at: string;
}

export interface DomainRemoved {
  domain: string;
  removed_at: string;
}

/** The data of a test event: beside test, anything may be missing. */
export interface Test {
  test: true;
  domain?: string;
  score?: number;
  grade?: string;
  message?: string;
}

export type ScanCompletedEvent = BaseEvent<'scan.completed', ScanCompleted, false>;
export type AlertTriggeredEvent = BaseEvent<'alert.triggered', AlertTriggered, false>;
export type ScoreChangedEvent = BaseEvent<'score.changed', ScoreChanged, false>;
export type DomainAddedEvent = BaseEvent<'domain.added', DomainAdded, false>;
export type DomainRemovedEvent = BaseEvent<'domain.removed', DomainRemoved, false>;
/** A test of any type. Look at `test` before `type`, so that a test wakes nobody. */
export type TestEvent = BaseEvent<string, Test, true>;

/**
 * The events that are known here. Others arrive too, because new types may be added and
 * an account may have its own: have a `default` that does nothing, and name your own as
 * `unwrap<WebhookEvent | MyEvent>(...)`. Data is not checked against these types.
 */
export type WebhookEvent =
  | TestEvent
  | ScanCompletedEvent
  | AlertTriggeredEvent
  | ScoreChangedEvent
  | DomainAddedEvent
  | DomainRemovedEvent;

/**
 * Checks that a request was signed with one of the secrets, in constant time. When
 * webhook-signature is there it decides, else X-ComplianceLayer-Signature does.
 *
 * @throws {WebhookError} and nothing else
 */
export declare function verify(request: VerifyRequest): Verified;

/**
 * Checks that there is a secret and that each is one. Call it when the program starts,
 * so that a mistake in its settings is seen then and not at the first request.
 *
 * @throws {WebhookError} `no_secret` or `bad_secret`
 */
export declare function checkSecrets(secrets: Secrets): void;

/**
 * Reads a body. Verify it first.
 *
 * @throws {WebhookError} `bad_event`
 */
export declare function parse<Event extends BaseEvent = WebhookEvent>(body: RawBody): Event;

/**
 * Verifies a request and reads its event.
 *
 * @throws {WebhookError} and nothing else
 */
export declare function unwrap<Event extends BaseEvent = WebhookEvent>(request: VerifyRequest): Event;
