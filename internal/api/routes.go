package api

import (
	"net/http"
	"reflect"
	"slices"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
)

// The headings of the reference, in order.
const (
	groupEvents     = "Events"
	groupTypes      = "Event types"
	groupEndpoints  = "Endpoints"
	groupSecrets    = "Signing secrets"
	groupDeliveries = "Deliveries"
	groupDead       = "Dead letters"
	groupJobs       = "Jobs"
	groupWatch      = "Numbers and live stream"
	groupNotify     = "Notifications"
	groupKeys       = "API keys"
	groupAccounts   = "Accounts"
	groupServer     = "The server"
)

// table lists every call (contract section 4). A new call is one entry here and one
// function.
func (s *Server) table() []route {
	return slices.Concat(
		s.eventRoutes(), s.typeRoutes(), s.endpointRoutes(), s.secretRoutes(), s.deliveryRoutes(),
		s.watchRoutes(), s.notifyRoutes(), s.keyRoutes(), s.accountRoutes(), s.serverRoutes(), s.pageRoutes(),
	)
}

func (s *Server) eventRoutes() []route {
	idempotency := param{
		where: "header", name: "Idempotency-Key", typ: reflect.TypeFor[string](),
		tag: `doc:"1 to 255 visible ASCII characters. The same key with the same content answers as the first time; with other content it is a conflict."`,
	}
	publish := route{
		method: http.MethodPost, path: PublishPath, name: "publishEvent", group: groupEvents, scope: auth.Publish,
		summary: "Publish an event",
		about: "202 comes only after the event and all of its deliveries are on disk. The same id, or the same Idempotency-Key header, with the same content is answered with 200, " +
			"the first answer and the header Idempotent-Replayed: true. The body is at most 256 KiB.",
		status: http.StatusAccepted, maxBody: maxEvent, headers: []param{idempotency}, replays: true,
		example: `{"type":"scan.completed","data":{"scan_id":12345,"job_id":67890,"domain":"example.com","score":85,"grade":"B","issues_count":8,"critical_issues":0,"high_issues":2,"medium_issues":3,"low_issues":3,"scanned_at":"2026-03-08T12:34:56.789Z","scan_duration_ms":2847}}`,
		in:      inputOf(reflect.TypeFor[bodyOf[client.NewEvent]]()), out: reflect.TypeFor[client.AcceptedEvent](),
		serve: s.publish,
	}
	batch := route{
		method: http.MethodPost, path: "/v1/events/batch", name: "publishEvents", group: groupEvents, scope: auth.Publish,
		summary: "Publish 1 to 1000 events, all or nothing",
		about: "A bad event is named by its index and nothing is accepted. With an Idempotency-Key, event n has the key with #n behind it. " +
			"200 means that all of them had been accepted before. The body is at most 8 MiB.",
		status: http.StatusAccepted, maxBody: maxBatch, headers: []param{idempotency}, replays: true,
		example: `{"events":[{"type":"domain.added","data":{"domain":"example.com","added_at":"2026-03-08T12:34:56.789Z"}}]}`,
		in:      inputOf(reflect.TypeFor[bodyOf[client.NewEvents]]()), out: reflect.TypeFor[client.AcceptedEvents](),
		serve: s.publishBatch,
	}
	return []route{
		publish, batch,
		op(route{
			method: http.MethodGet, path: "/v1/events", name: "listEvents", group: groupEvents, scope: auth.Read,
			summary: "List events, newest first", about: "Events that matched no endpoint are listed too.",
		}, s.listEvents),
		op(route{
			method: http.MethodGet, path: "/v1/events/{id}", name: "getEvent", group: groupEvents, scope: auth.Read,
			summary: "Read an event with its data",
		}, s.event),
	}
}

func (s *Server) typeRoutes() []route {
	return []route{
		op(route{
			method: http.MethodGet, path: "/v1/event-types", name: "listEventTypes", group: groupTypes, scope: auth.Read,
			summary: "List the catalogue", about: "All on one page, built-in types first. Every type has a description, and most a JSON Schema and a sample.",
		}, s.listTypes),
		op(route{
			method: http.MethodPost, path: "/v1/event-types", name: "createEventType", group: groupTypes, scope: auth.Manage,
			summary: "Register a type of your own", status: http.StatusCreated, maxBody: maxSchema,
			example: `{"name":"order.shipped","description":"An order left the warehouse.","schema":{"type":"object","required":["order_id"],"properties":{"order_id":{"type":"integer"}}},"sample":{"order_id":7}}`,
		}, s.createType),
		op(route{
			method: http.MethodGet, path: "/v1/event-types/{type}", name: "getEventType", group: groupTypes, scope: auth.Read,
			summary: "Read a type with its schema and sample",
		}, s.eventType),
		op(route{
			method: http.MethodPatch, path: "/v1/event-types/{type}", name: "updateEventType", group: groupTypes, scope: auth.Manage,
			summary: "Change a type of your own", about: "Fields that are left out stay. Events accepted before stay as they are.", maxBody: maxSchema,
			example: `{"description":"An order left the warehouse by lorry."}`,
		}, s.updateType),
		op(route{
			method: http.MethodDelete, path: "/v1/event-types/{type}", name: "deleteEventType", group: groupTypes, scope: auth.Manage,
			summary: "Remove a type of your own", about: "A conflict while endpoints name it.", status: http.StatusNoContent,
		}, s.deleteType),
	}
}

func (s *Server) endpointRoutes() []route {
	return []route{
		op(route{
			method: http.MethodPost, path: "/v1/endpoints", name: "createEndpoint", group: groupEndpoints, scope: auth.Manage,
			summary: "Make an endpoint", about: "Only this answer has its signing secret.", status: http.StatusCreated,
			example: `{"url":"https://api.example.com/webhooks/compliancelayer","events":["scan.completed","alert.*"],"description":"Production"}`,
		}, s.createEndpoint),
		op(route{
			method: http.MethodGet, path: "/v1/endpoints", name: "listEndpoints", group: groupEndpoints, scope: auth.Read,
			summary: "List endpoints, newest first",
		}, s.listEndpoints),
		op(route{
			method: http.MethodGet, path: "/v1/endpoints/{id}", name: "getEndpoint", group: groupEndpoints, scope: auth.Read,
			summary: "Read an endpoint", about: "With its state, its counts and the health of its last 24 hours.",
		}, s.endpoint),
		op(route{
			method: http.MethodPatch, path: "/v1/endpoints/{id}", name: "updateEndpoint", group: groupEndpoints, scope: auth.Manage,
			summary: "Change an endpoint", about: "Fields that are left out stay.", example: `{"events":["*"],"rate_limit":20}`,
		}, s.updateEndpoint),
		op(route{
			method: http.MethodDelete, path: "/v1/endpoints/{id}", name: "deleteEndpoint", group: groupEndpoints, scope: auth.Manage,
			summary: "Delete an endpoint", about: "What waits for it or is held is discarded; dry_run counts that first. Its log stays until retention.",
		}, s.deleteEndpoint),
		op(route{
			method: http.MethodPost, path: "/v1/endpoints/{id}/test", name: "testEndpoint", group: groupEndpoints, scope: auth.Manage,
			summary: "Send a test now", slow: true,
			about:   "A real signed delivery, once. It works on a disabled endpoint and touches nobody's count. The answer comes when the attempt has ended.",
			example: `{"type":"scan.completed"}`,
		}, s.testEndpoint),
		op(route{
			method: http.MethodPost, path: "/v1/endpoints/{id}/disable", name: "disableEndpoint", group: groupEndpoints, scope: auth.Manage,
			summary: "Disable an endpoint", about: "Nothing is sent and nothing is lost: what is for it is held.", example: `{"reason":"maintenance"}`,
		}, s.disableEndpoint),
		op(route{
			method: http.MethodPost, path: "/v1/endpoints/{id}/enable", name: "enableEndpoint", group: groupEndpoints, scope: auth.Manage,
			summary: "Enable an endpoint", about: "Say what is to become of what was held.", example: `{"held":"send","per_second":20}`,
		}, s.enableEndpoint),
		op(route{
			method: http.MethodPost, path: "/v1/endpoints/{id}/replay", name: "replayEndpoint", group: groupEndpoints, scope: auth.Manage,
			summary: "Retry an endpoint's deliveries of a span of time", about: "A paced job; dry_run only counts.",
			example: `{"from":"2026-03-08T00:00:00.000Z","to":"2026-03-09T00:00:00.000Z","status":["failed","delivered"],"dry_run":true}`,
		}, s.replay),
	}
}

func (s *Server) secretRoutes() []route {
	return []route{
		op(route{
			method: http.MethodPost, path: "/v1/endpoints/{id}/secret/prepare", name: "prepareSecret", group: groupSecrets, scope: auth.Manage,
			summary: "Make the next secret", about: "webhook-signature lists both from now on; X-ComplianceLayer-Signature stays on the current one. Only this answer has the text.",
		}, s.prepareSecret),
		op(route{
			method: http.MethodPost, path: "/v1/endpoints/{id}/secret/promote", name: "promoteSecret", group: groupSecrets, scope: auth.Manage,
			summary: "Make the prepared secret the current one", about: "X-ComplianceLayer-Signature switches at once; the old secret goes on in webhook-signature until the overlap ends.",
			example: `{"overlap":"24h"}`,
		}, s.promoteSecret),
		op(route{
			method: http.MethodPost, path: "/v1/endpoints/{id}/secret/rotate", name: "rotateSecret", group: groupSecrets, scope: auth.Manage,
			summary: "Prepare and promote in one step", about: "An overlap of 0s means: the secret is compromised, replace it now; every older one ends too.", example: `{"overlap":"0s"}`,
		}, s.rotateSecret),
		op(route{
			method: http.MethodPost, path: "/v1/endpoints/{id}/secret/check", name: "checkSecret", group: groupSecrets, scope: auth.Read,
			summary: "Find out why a signature does not match", about: "Send either a secret, or a body and its signature. The answer says which stored secret matches, or which mistake it looks like.",
			maxBody: maxSignature,
			example: `{"body":"{\"id\":\"550e8400-e29b-41d4-a716-446655440000\"}","signature":"5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd"}`,
		}, s.checkSecret),
	}
}

func (s *Server) deliveryRoutes() []route {
	dead := route{
		method: http.MethodGet, path: "/v1/dead-letters", name: "listDeadLetters", group: groupDead, scope: auth.Read,
		summary: "List, count or export the dead letter queue",
		about:   "Deliveries that failed for good. With group they are counted; with the header Accept: application/x-ndjson all of them come, one delivery a line.",
		status:  http.StatusOK, in: inputOf(reflect.TypeFor[client.DeadLetterQuery]()), out: reflect.TypeFor[client.DeadLetters](),
		media: []media{{kind: ndjson, note: "Every delivery that matches, one JSON object (Delivery) a line. A connection that breaks means that lines are missing."}},
	}
	dead.serve = func(x *exchange, r *http.Request) error { return dead.blame(s.deadLetters(x, r, &dead.in)) }
	return []route{
		op(route{
			method: http.MethodGet, path: "/v1/deliveries", name: "listDeliveries", group: groupDeliveries, scope: auth.Read,
			summary: "List deliveries, newest first",
		}, s.listDeliveries),
		op(route{
			method: http.MethodGet, path: "/v1/deliveries/{id}", name: "getDelivery", group: groupDeliveries, scope: auth.Read,
			summary: "Read a delivery with its attempts",
		}, s.delivery),
		op(route{
			method: http.MethodGet, path: "/v1/deliveries/{id}/attempts/{n}", name: "getAttempt", group: groupDeliveries, scope: auth.Read,
			summary: "Read a whole attempt", about: "What was sent, what came back, how long each part took, and in plain words what to do.",
		}, s.attempt),
		op(route{
			method: http.MethodPost, path: "/v1/deliveries/{id}/retry", name: "retryDelivery", group: groupDeliveries, scope: auth.Manage,
			summary: "Retry a delivery now", about: "A new cycle of the same delivery: its id stays and its attempt numbers go on. A conflict while its endpoint is disabled.",
		}, s.retryDelivery),
		op(route{
			method: http.MethodPost, path: "/v1/deliveries/{id}/discard", name: "discardDelivery", group: groupDeliveries, scope: auth.Manage,
			summary: "Give a delivery up", example: `{"reason":"sent by hand"}`,
		}, s.discardDelivery),
		op(route{
			method: http.MethodPost, path: "/v1/deliveries/retry", name: "retryDeliveries", group: groupDeliveries, scope: auth.Manage,
			summary: "Retry many deliveries", about: "A paced job; dry_run only counts.", example: `{"filter":{"status":["failed"]},"per_second":20,"dry_run":true}`,
		}, s.retryDeliveries),
		op(route{
			method: http.MethodPost, path: "/v1/deliveries/discard", name: "discardDeliveries", group: groupDeliveries, scope: auth.Manage,
			summary: "Give many deliveries up", about: "A job; dry_run only counts. The state of their endpoints does not matter.", example: `{"filter":{"status":["failed"]},"reason":"sent by hand","dry_run":true}`,
		}, s.discardDeliveries),
		dead,
		op(route{
			method: http.MethodGet, path: "/v1/jobs", name: "listJobs", group: groupJobs, scope: auth.Read,
			summary: "List jobs, newest first",
		}, s.listJobs),
		op(route{
			method: http.MethodGet, path: "/v1/jobs/{id}", name: "getJob", group: groupJobs, scope: auth.Read,
			summary: "Read a job with its progress",
		}, s.job),
		op(route{
			method: http.MethodPost, path: "/v1/jobs/{id}/cancel", name: "cancelJob", group: groupJobs, scope: auth.Manage,
			summary: "Stop a job", about: "What it has done stays done.",
		}, s.cancelJob),
	}
}

func (s *Server) watchRoutes() []route {
	stream := route{
		method: http.MethodGet, path: "/v1/stream", name: "stream", group: groupWatch, scope: auth.Read,
		summary: "Follow events and attempts as they happen",
		about: "Server-sent events of the kinds event, whose data is the whole body of an accepted event, and attempt, whose data is a StreamAttempt. A comment comes every 15 seconds. " +
			"The stream ends with a comment that says why: the reader was too slow, the key ended, or the server is shutting down. What is missed is in the lists.",
		status: http.StatusOK, in: inputOf(reflect.TypeFor[client.StreamOptions]()),
		media: []media{{kind: "text/event-stream", item: client.StreamAttempt{}, note: "Items until one of the two sides goes away."}},
	}
	stream.serve = func(x *exchange, r *http.Request) error { return s.stream(x, r, &stream.in) }
	return []route{
		op(route{
			method: http.MethodGet, path: "/v1/stats", name: "getStats", group: groupWatch, scope: auth.Read,
			summary: "Read numbers", about: "Counts, success rate and latency of an endpoint or of the account, with a series.",
		}, s.stats),
		op(route{
			method: http.MethodGet, path: "/v1/alerts", name: "listAlerts", group: groupWatch, scope: auth.Read,
			summary: "List alerts, newest first",
			about: "What the health watch found: endpoints of which, in the last hour with 20 attempts or more, over 10 % of the attempts failed, over 5 % took longer than 10 s, or over 20 % were retries. " +
				"An alert closes by itself when the share has been at most half of that for 15 minutes, or when nothing is sent any more.",
		}, s.listAlerts),
		stream,
	}
}

func (s *Server) notifyRoutes() []route {
	return []route{
		op(route{
			method: http.MethodGet, path: "/v1/notification-addresses", name: "listNotificationAddresses", group: groupNotify, scope: auth.Read,
			summary: "List who is told by mail", about: "When an endpoint fails five and eight times in a row, when it is disabled, and when an alert of the health watch opens or closes. Without an address here the account's owners and admins are told.",
		}, s.listRecipients),
		op(route{
			method: http.MethodPost, path: "/v1/notification-addresses", name: "addNotificationAddress", group: groupNotify, scope: auth.Manage,
			summary: "Add an address", about: "At most 20, and 20 added in a day (UTC), removed ones among them. A conflict when it is there, or there are too many.", status: http.StatusCreated, example: `{"email":"oncall@example.com"}`,
		}, s.addRecipient),
		op(route{
			method: http.MethodDelete, path: "/v1/notification-addresses/{email}", name: "removeNotificationAddress", group: groupNotify, scope: auth.Manage,
			summary: "Remove an address", status: http.StatusNoContent,
		}, s.removeRecipient),
	}
}

func (s *Server) keyRoutes() []route {
	return []route{
		op(route{
			method: http.MethodPost, path: "/v1/keys", name: "createKey", group: groupKeys, scope: auth.Manage, depends: true,
			summary: "Make an API key", about: "Only this answer has its text. It can have no scope that the key that asks lacks, and not last longer than that one.", status: http.StatusCreated,
			example: `{"name":"scanner","scopes":["publish"]}`,
		}, s.createKey),
		op(route{
			method: http.MethodGet, path: "/v1/keys", name: "listKeys", group: groupKeys, scope: auth.Manage, depends: true,
			summary: "List API keys, ended ones included",
		}, s.listKeys),
		op(route{
			method: http.MethodDelete, path: "/v1/keys/{id}", name: "revokeKey", group: groupKeys, scope: auth.Manage, depends: true,
			summary: "Revoke an API key", about: "For good. It takes every scope that the key has. A key cannot revoke itself.", status: http.StatusNoContent,
		}, s.revokeKey),
		op(route{
			method: http.MethodGet, path: "/v1/me", name: "getMe", group: groupKeys,
			summary: "Who is calling: account, key and scopes",
		}, s.me),
		op(route{
			method: http.MethodGet, path: "/v1/audit", name: "listAudit", group: groupKeys, scope: auth.Read,
			summary: "List who did what in the account, newest first",
		}, s.listAudit),
	}
}

func (s *Server) accountRoutes() []route {
	return []route{
		op(route{
			method: http.MethodPost, path: "/v1/accounts", name: "createAccount", group: groupAccounts, scope: auth.Admin,
			summary: "Make an account", status: http.StatusCreated, example: `{"name":"Acme"}`,
		}, s.createAccount),
		op(route{
			method: http.MethodGet, path: "/v1/accounts", name: "listAccounts", group: groupAccounts, scope: auth.Admin,
			summary: "List accounts",
		}, s.listAccounts),
		op(route{
			method: http.MethodGet, path: "/v1/accounts/{id}", name: "getAccount", group: groupAccounts, scope: auth.Admin,
			summary: "Read an account",
		}, s.account),
		op(route{
			method: http.MethodDelete, path: "/v1/accounts/{id}", name: "deleteAccount", group: groupAccounts, scope: auth.Admin,
			summary: "Delete an account with its endpoints and keys", status: http.StatusNoContent,
		}, s.deleteAccount),
		op(route{
			method: http.MethodPost, path: "/v1/accounts/{id}/portal-link", name: "createPortalLink", group: groupAccounts, scope: auth.Admin,
			summary: "Make a one-time link into an account's dashboard", status: http.StatusCreated,
		}, s.portalLink),
	}
}

func (s *Server) serverRoutes() []route {
	health := reflect.TypeFor[Check]()
	all := []route{
		op(route{
			method: http.MethodPost, path: "/v1/setup", name: "setUp", group: groupServer, open: true,
			summary: "Make the first admin key", about: "With the token of the one-time link that a new server prints. Only this answer has the key's text.",
			status: http.StatusCreated, example: `{"token":"2q7c..."}`,
		}, s.setup),
		{
			method: http.MethodGet, path: "/healthz", name: "getHealth", group: groupServer, open: true,
			summary: "Is the process up?", status: http.StatusOK, out: health, serve: s.healthz,
		},
		{
			method: http.MethodGet, path: "/readyz", name: "getReady", group: groupServer, open: true,
			summary: "Can it do its work?", about: "503 with the reason while it cannot.", status: http.StatusOK, out: health, serve: s.readyz,
		},
	}
	if s.Metrics == nil {
		return all
	}
	return append(all, route{
		method: http.MethodGet, path: "/metrics", name: "getMetrics", group: groupServer, scope: auth.Read,
		summary: "Read the metrics", about: "In the format of Prometheus, with a key of the default account.",
		status: http.StatusOK, media: []media{{kind: "text/plain", note: "Metrics."}}, serve: s.metrics,
	})
}

// pageRoutes are for people and for tools that read documents; they are no calls, so
// that they are not described themselves.
func (s *Server) pageRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "/openapi.json", open: true, serve: s.showOpenAPI},
		{method: http.MethodGet, path: "/docs", open: true, serve: s.showDocs},
		{method: http.MethodGet, path: "/docs/style.css", open: true, serve: s.showStyle},
	}
}

// described reports whether a route is a call, to be written into the documents.
func (rt *route) described() bool { return rt.name != "" }
