package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/egress"
)

// serverFlags are the settings of a server (contract section 5).
type serverFlags struct {
	Listen              address      `setting:"" help:"Address of the API." default:"127.0.0.1:8080"`
	MetricsListen       address      `setting:"" help:"Address of /metrics, without a key; left out, it is on the API's address, behind a key." placeholder:"HOST:PORT"`
	Database            databaseName `setting:"" help:"A path: a SQLite file, made if missing; or postgres://... (with a password in it, set it in the environment)." default:"compliancelayer.db"`
	Dev                 bool         `setting:"" help:"Development mode: deliveries to this machine and to http://localhost are allowed."`
	RetrySchedule       schedule     `setting:"" help:"Delay before each attempt, counted from the end of the one before." default:"0s,1m,5m,15m,1h,2h"`
	DeliveryTimeout     span         `setting:"" help:"How long one attempt may take, all in all." default:"30s"`
	DisableAfter        int          `setting:"" help:"Consecutive failed attempts that disable an endpoint; 0 = never." default:"10"`
	DisableOnGone       bool         `setting:"" help:"The answer 410 Gone disables the endpoint."`
	Concurrency         int          `setting:"" help:"Attempts at once of all endpoints together; at most half of the limit of open files." default:"4096"`
	EndpointConcurrency int          `setting:"" help:"Attempts at once per endpoint." default:"32"`
	EndpointBackoff     []span       `setting:"" help:"Spacing of a failing endpoint's attempts: first, longest." default:"1s,30s"`
	AllowTargets        []string     `setting:"" help:"Ranges that are not public and may be delivered to, such as 10.1.2.0/24:443." placeholder:"CIDR[:PORT]"`
	NAT64Decode         bool         `name:"nat64-decode" setting:"" help:"Judge addresses in 64:ff9b::/96 by the IPv4 address in them; for IPv6-only networks with DNS64."`
	Retention           span         `setting:"" help:"How long events, deliveries and attempts are kept." default:"30d"`
	SecretKey           string       `setting:"" help:"Encryption key of the stored secrets. Set it in the environment only; left out, it is in the key file." placeholder:"KEY"`
	SecretKeyFile       string       `setting:"" help:"File of that key, made if missing; left out, DATABASE.key, or compliancelayer.key with PostgreSQL." placeholder:"PATH"`
	SMTP                string       `name:"smtp" setting:"" help:"Mail server by which people are told of failing endpoints; left out, nobody is told by mail." placeholder:"HOST:PORT"`
	SMTPUser            string       `name:"smtp-user" setting:"" help:"Who signs in there; left out, nobody does." placeholder:"NAME"`
	SMTPPassword        string       `name:"smtp-password" setting:"" help:"The password for that. Set it in the environment only." placeholder:"PASSWORD"`
	SMTPTLS             string       `name:"smtp-tls" setting:"" help:"How TLS is spoken there: starttls, tls (from the first byte on) or none (only on this machine or in a private network)." enum:"starttls,tls,none" default:"starttls"`
	MailFrom            string       `setting:"" help:"Address that mails come from; needed with --smtp." placeholder:"ADDRESS"`
	RequestRate         int          `setting:"" help:"Requests a second that an account may make, with all its keys, in bursts of as many; 0 = no limit. The default account never has one." default:"500"`
	MaxEndpoints        int          `setting:"" help:"Endpoints per account; 0 = the built-in limit."`
	ShutdownTimeout     span         `setting:"" help:"How long open requests are answered for when the server stops." default:"10s"`
	PublicURL           string       `name:"public-url" setting:"" help:"Where people reach the dashboard, such as https://hooks.example.com, for links and single sign-on; left out, at --listen." placeholder:"URL"`
	OIDCIssuer          string       `name:"oidc-issuer" setting:"" help:"Issuer of OpenID Connect by which members may sign in; left out, there is no single sign-on." placeholder:"URL"`
	OIDCClientID        string       `name:"oidc-client-id" setting:"" help:"What this server is called at the issuer." placeholder:"ID"`
	OIDCClientSecret    string       `name:"oidc-client-secret" setting:"" help:"The client's secret. Set it in the environment only." placeholder:"SECRET"`
	OIDCName            string       `name:"oidc-name" setting:"" help:"What people call the issuer: Continue with NAME." default:"single sign-on"`
}

// serveCmd runs the server.
type serveCmd struct {
	serverFlags
	APIKey    string `name:"api-key" setting:"" help:"Makes sure that this admin key exists. Set it in the environment, not here." placeholder:"KEY"`
	LogLevel  string `setting:"" help:"What to log: debug, info, warn or error." enum:"debug,info,warn,error" default:"info"`
	LogFormat string `setting:"" help:"How to log, on standard error: text or json." enum:"text,json" default:"text"`
}

// Help says how to begin.
func (s *serveCmd) Help() string {
	return `On your own machine, with deliveries to localhost allowed:

    compliancelayer serve --dev

With an empty database it prints a link that makes the first API key; with COMPLIANCELAYER_API_KEY=cl_... in the environment that key is made instead. Ctrl-C stops it: it answers open requests, finishes what is on the wire and gives the rest back to the database.`
}

// Run serves until ctx ends.
func (s *serveCmd) Run(ctx context.Context, c *console) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	if cfg.APIKey, err = c.secret(s.APIKey); err != nil {
		return err
	}
	cfg.Log = newLogger(c.err, s.LogLevel, s.LogFormat)
	// Libraries write what receivers and clients send them to the standard logger.
	log.SetOutput(slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug).Writer())
	b := c.progress("migrate")
	cfg.Progress = func(version int64, name string) { b.set(version, 0, name) }
	a, err := app.Open(ctx, cfg)
	b.end()
	if err != nil {
		return serveHint(err)
	}
	c.say("ComplianceLayer %s is running at %s", version, a.URL())
	if link := a.SetupURL(); link != "" {
		c.say("Nobody can sign in yet. This link makes the first owner, once; one that was printed before is good no more:\n  %s", link)
	}
	return a.Serve(ctx)
}

// serveHint says what to do when the server cannot begin.
func serveHint(err error) error {
	var taken *app.ListenError
	if errors.As(err, &taken) {
		return listenHint(err, "--"+taken.Setting+" or "+variableOf(taken.Setting))
	}
	return withHint(err, "%s doctor   (checks settings, database, key and port, with the same flags)", programName)
}

// config makes the server's configuration of the flags. It is filled in also when
// one of them is wrong, for doctor.
func (f *serverFlags) config() (app.Config, error) {
	policy, err := f.policy()
	cfg := app.Config{
		Listen: string(f.Listen), MetricsListen: string(f.MetricsListen), Database: string(f.Database), Dev: f.Dev, Policy: policy,
		Slots: f.Concurrency, Concurrency: f.EndpointConcurrency, AllowTargets: f.AllowTargets, NAT64Decode: f.NAT64Decode, Retention: time.Duration(f.Retention),
		SecretKey: f.SecretKey, SecretKeyFile: f.SecretKeyFile, RequestRate: f.RequestRate, MaxEndpoints: f.MaxEndpoints,
		ShutdownTimeout: time.Duration(f.ShutdownTimeout), PublicURL: strings.TrimSuffix(f.PublicURL, "/"),
		SingleSignOn: app.SingleSignOn{Issuer: f.OIDCIssuer, ClientID: f.OIDCClientID, ClientSecret: f.OIDCClientSecret, Name: f.OIDCName},
		Mail:         app.Mail{Server: f.SMTP, User: f.SMTPUser, Password: f.SMTPPassword, TLS: f.SMTPTLS, From: f.MailFrom},
		Version:      version,
	}
	if err != nil {
		return cfg, asUsage(err)
	}
	for _, n := range []struct {
		flag         string
		value, least int
	}{
		{"--concurrency", f.Concurrency, 1}, {"--endpoint-concurrency", f.EndpointConcurrency, 1},
		{"--request-rate", f.RequestRate, 0}, {"--max-endpoints", f.MaxEndpoints, 0},
	} {
		if n.value < n.least {
			return cfg, misuse("%s: must be %d or more", n.flag, n.least)
		}
	}
	if f.ShutdownTimeout == 0 { // which would mean the default
		return cfg, misuse("--shutdown-timeout: must be more than 0s")
	}
	if err := cfg.Mail.Check(); err != nil {
		return cfg, asUsage(err)
	}
	targets, err := f.targets()
	if err != nil {
		return cfg, err
	}
	return cfg, checkSignOn(cfg, targets)
}

// targets says where the server may connect to, its own addresses aside.
func (f *serverFlags) targets() (*egress.Policy, error) {
	cfg := egress.Config{Dev: f.Dev, NAT64Decode: f.NAT64Decode}
	for _, text := range f.AllowTargets {
		rule, err := egress.ParseAllow(text)
		if err != nil {
			return nil, misuse("--allow-targets: %w", err)
		}
		cfg.Allow = append(cfg.Allow, rule)
	}
	targets, err := egress.NewPolicy(cfg)
	if err != nil {
		return nil, misuse("--allow-targets: %w", err)
	}
	return targets, nil
}

// policy gives the rules of delivery that the flags ask for.
func (f *serverFlags) policy() (delivery.Policy, error) {
	if len(f.EndpointBackoff) != 2 {
		return delivery.Policy{}, fmt.Errorf("--endpoint-backoff: write two durations, the first and the longest pause, such as 1s,30s")
	}
	policy := delivery.Policy{
		Schedule: f.RetrySchedule.steps, Timeout: time.Duration(f.DeliveryTimeout), DisableAfter: f.DisableAfter, DisableOnGone: f.DisableOnGone,
		SpacingFirst: time.Duration(f.EndpointBackoff[0]), SpacingLongest: time.Duration(f.EndpointBackoff[1]),
	}
	return policy, policy.Validate()
}

// newLogger makes the server's log.
func newLogger(w io.Writer, level, format string) *slog.Logger {
	var least slog.Level
	_ = least.UnmarshalText([]byte(level)) // the parser lets only the four names through
	options := &slog.HandlerOptions{Level: least}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
