package web

import (
	"slices"

	"github.com/compliancelayer/compliancelayer/internal/auth"
)

// route is one page or action.
type route struct {
	pattern string     // of http.ServeMux
	needs   auth.Scope // of whoever is signed in; open = nobody has to be
	serve   func(*visit) error
}

// open is what routes need that anybody may use.
const open auth.Scope = ""

// table lists them all. What a person may do is said here and nowhere else in this package; manage checks it once more.
func (s *Server) table() []route {
	return slices.Concat(s.doors(), s.work(), s.settings())
}

// doors are for those who are not in yet, or only look whether the server is well.
func (s *Server) doors() []route {
	return []route{
		{"GET /setup", open, s.showSetup},
		{"POST /setup", open, s.doSetup},
		{"GET /sign-in", open, s.showSignIn},
		{"POST /sign-in", open, s.doSignIn},
		{"GET /sign-in/oidc", open, s.beginSignIn},
		{"GET " + CallbackPath, open, s.finishSingle},
		{"POST /sign-out", open, s.doSignOut},
		{"GET /portal/{token}", open, s.showPortal},
		{"POST /portal/{token}", open, s.doPortal},
		{"GET /invite/{token}", open, s.showInvite},
		{"POST /invite/{token}", open, s.doInvite},
		{"POST /invite/{token}/oidc", open, s.beginInvite},
		{"GET /status", open, s.showStatus},
	}
}

// work is what the dashboard is for.
func (s *Server) work() []route {
	return []route{
		{"GET /{$}", auth.Read, s.home},
		{"GET /endpoints", auth.Read, s.showEndpoints},
		{"GET /endpoints/new", auth.Manage, s.showNewEndpoint},
		{"POST /endpoints/new", auth.Manage, s.doNewEndpoint},
		{"POST /endpoints/check-url", auth.Manage, s.doCheckURL},
		{"GET /endpoints/{id}", auth.Read, s.showEndpoint},
		{"GET /endpoints/{id}/settings", auth.Manage, s.showEndpointSettings},
		{"POST /endpoints/{id}/settings", auth.Manage, s.doEndpointSettings},
		{"POST /endpoints/{id}/test", auth.Manage, s.doTest},
		{"POST /endpoints/{id}/disable", auth.Manage, s.doDisable},
		{"GET /endpoints/{id}/recover", auth.Read, s.showRecover},
		{"POST /endpoints/{id}/recover", auth.Manage, s.doRecoverTest},
		{"POST /endpoints/{id}/enable", auth.Manage, s.doEnable},
		{"POST /endpoints/{id}/delete", auth.Manage, s.doDelete},
		{"GET /endpoints/{id}/new-secret", auth.Manage, s.showNewSecret},
		{"POST /endpoints/{id}/secret/prepare", auth.Manage, s.doPrepare},
		{"POST /endpoints/{id}/secret/promote", auth.Manage, s.doPromote},
		{"POST /endpoints/{id}/secret/rotate", auth.Manage, s.doRotate},
		{"POST /endpoints/{id}/secret/check", auth.Read, s.doCheckSecret},

		{"GET /deliveries", auth.Read, s.showDeliveries},
		{"GET /deliveries/live", auth.Read, s.showLive},
		{"GET /deliveries/export", auth.Read, s.exportDeliveries},
		{"GET /deliveries/{id}", auth.Read, s.showDelivery},
		{"GET /deliveries/held", auth.Read, s.showHeld},
		{"POST /deliveries/held/send", auth.Manage, s.doSendHeld},
		{"POST /deliveries/{id}/retry", auth.Manage, s.doRetry},
		{"POST /deliveries/{id}/discard", auth.Manage, s.doDiscard},

		{"GET /dead-letters", auth.Read, s.showDeadLetters},
		{"GET /dead-letters/export", auth.Read, s.exportDeadLetters},
		{"POST /dead-letters/retry", auth.Manage, s.doRetryDeadLetters},
		{"POST /dead-letters/discard", auth.Manage, s.doDiscardDeadLetters},
		{"GET /jobs/{id}", auth.Read, s.showJob},
		{"GET /jobs/{id}/progress", auth.Read, s.showProgress},
		{"POST /jobs/{id}/cancel", auth.Manage, s.doCancelJob},

		{"GET /events", auth.Read, s.showEvents},
		{"GET /events/{id}", auth.Read, s.showEvent},
		{"GET /events/{id}/body", auth.Read, s.showEventBody},
		{"GET /event-types", auth.Read, s.showTypes},
		{"GET /event-types/{name}", auth.Read, s.showType},
		{"POST /event-types/{name}/publish", auth.Publish, s.doPublish},
	}
}

// settings are about people, and about the server.
func (s *Server) settings() []route {
	return []route{
		{"GET /settings/profile", auth.Read, s.showProfile},
		{"POST /settings/profile", auth.Read, s.doRename},
		{"POST /settings/profile/password", auth.Read, s.doPassword},
		{"POST /settings/profile/link", auth.Read, s.beginLink},
		{"POST /settings/profile/unlink", auth.Read, s.doUnlink},
		{"GET /settings/members", auth.Read, s.showMembers},
		{"POST /settings/members/invite", auth.People, s.doInviteMember},
		{"POST /settings/members/{id}/role", auth.People, s.doChangeRole},
		{"POST /settings/members/{id}/remove", auth.People, s.doRemoveMember},
		{"POST /settings/invites/{id}/take-back", auth.People, s.doTakeBackInvite},
		{"GET /settings/sessions", auth.Read, s.showSessions},
		{"POST /settings/sessions/{id}/end", auth.Read, s.doEndSession},
		{"GET /settings/keys", auth.Manage, s.showKeys},
		{"POST /settings/keys", auth.Manage, s.doNewKey},
		{"POST /settings/keys/{id}/revoke", auth.Manage, s.doRevokeKey},
		{"GET /settings/notifications", auth.Read, s.showNotifications},
		{"POST /settings/notifications", auth.People, s.doAddRecipient},
		{"POST /settings/notifications/remove", auth.People, s.doRemoveRecipient},
		{"POST /settings/notifications/test", auth.People, s.doTestMail},
		{"GET /settings/accounts", auth.Admin, s.showAccounts},
		{"POST /settings/accounts", auth.Admin, s.doNewAccount},
		{"POST /settings/accounts/{id}/portal-link", auth.Admin, s.doPortalLink},
		{"GET /settings/server", auth.Read, s.showServer},
		{"GET /audit", auth.Read, s.showAudit},
	}
}
