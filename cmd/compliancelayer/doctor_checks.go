package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/egress"
)

// checkTime bounds a check that asks the network.
const checkTime = 5 * time.Second

// port looks whether the address is free, or a healthy server has it.
func (p *patient) port(ctx context.Context) finding {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", p.cfg.Listen)
	if err == nil {
		if err := l.Close(); err != nil {
			return failure("try again", "%s: %s", p.cfg.Listen, err)
		}
		return fine("%s is free", p.cfg.Listen)
	}
	if readyErr := p.ready(ctx); readyErr != nil {
		return failure("stop what listens there, or choose another address with --listen", "%s cannot be used (%s), and no healthy server answers there (%s)", p.cfg.Listen, err, readyErr)
	}
	p.serving = true
	return fine("a healthy server answers at %s", p.cfg.Listen)
}

// ready asks whether a healthy server is at the address.
func (p *patient) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	cl, err := client.New(client.Config{Server: "http://" + reachable(p.cfg.Listen)})
	if err != nil {
		return err
	}
	return cl.Ready(ctx)
}

// reachable gives an address to call a listener of this machine at.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// postgres gives the address of a PostgreSQL database; ok is false for a file.
func (p *patient) postgres() (u *url.URL, ok bool) {
	u, err := url.Parse(p.cfg.Database)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return nil, false
	}
	return u, true
}

// database looks whether the database can be reached.
func (p *patient) database(ctx context.Context) finding {
	if u, ok := p.postgres(); ok {
		return reachPostgres(ctx, u)
	}
	path := p.cfg.Database
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return writable(filepath.Dir(path), path+" will be made")
	case err != nil:
		return failure("give the user of the server access to it", "%s", err)
	case !info.Mode().IsRegular():
		return failure("name a file with --database", "%s is not a file", path)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return failure("give the user of the server access to it", "%s", err)
	}
	defer f.Close()
	return writable(filepath.Dir(path), fmt.Sprintf("%s, %s", path, size(info.Size())))
}

// writable looks whether files can be made in a folder: SQLite keeps its log and lock
// beside the database.
func writable(folder, good string) finding {
	f, err := os.CreateTemp(folder, ".compliancelayer-doctor-*")
	if errors.Is(err, fs.ErrNotExist) {
		return fine("%s, with its folder", good) // the server makes it
	}
	if err != nil {
		return failure("give the user of the server the right to write there", "no file can be made in %s: %s", folder, err)
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		return warning("look at the folder", "%s", err)
	}
	return fine("%s", good)
}

// reachPostgres looks whether something answers at the database's address; schema
// looks what it is.
func reachPostgres(ctx context.Context, u *url.URL) finding {
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = "5432"
	}
	if host == "" || strings.HasPrefix(u.Query().Get("host"), "/") {
		return fine("PostgreSQL by a local socket; serve tries it")
	}
	address := net.JoinHostPort(host, port)
	dialer := net.Dialer{Timeout: checkTime}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return failure("start PostgreSQL, or correct --database", "PostgreSQL cannot be reached: %s", err)
	}
	_ = conn.Close() // it was only to see that it opens
	return fine("PostgreSQL answers at %s", address)
}

// rehearsed is the largest SQLite file whose migration is rehearsed on a copy.
const rehearsed = 64 << 20

// schema looks whether this release can use the tables of the database.
func (p *patient) schema(ctx context.Context) finding {
	_, shared := p.postgres()
	info, err := os.Stat(p.cfg.Database)
	if !shared && err != nil {
		return fine("the database will be made with the newest one")
	}
	looking, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	found, err := app.Examine(looking, p.cfg.Database)
	switch {
	case err != nil && shared:
		return failure("correct --database, or the server's settings", "%s", err)
	case err != nil:
		return failure("name a database of this program with --database, or restore a backup", "%s", err)
	}
	p.tables = found.Version > 0 && len(found.Missing) == 0
	if f := judge(found); f.Health != healthOK || p.serving || shared || info.Size() > rehearsed {
		return p.served(f)
	}
	return p.rehearse(ctx)
}

// judge says what the tables that were found mean.
func judge(found app.Schema) finding {
	switch {
	case found.Version > found.Newest:
		return failure("start the release that made it, or a later one", "database is newer than this program: its tables are of version %d, and this program knows %d", found.Version, found.Newest)
	case len(found.Missing) > 0:
		return failure("restore a backup; an index alone can be made again as the migrations of this release have it",
			"%s missing: something other than this program has changed the database", words(found.Missing))
	case found.Version == 0:
		return fine("none yet; it will be made when the server starts")
	case found.Version < found.Newest:
		return fine("migrations from version %d to %d will be made when the server starts", found.Version, found.Newest)
	}
	return fine("up to date")
}

// served says so when a server that is up has found it good too.
func (p *patient) served(f finding) finding {
	if p.serving && f.Health == healthOK {
		return fine("the server that is running uses it")
	}
	return f
}

// rehearse makes the migrations on a copy.
func (p *patient) rehearse(ctx context.Context) finding {
	folder, err := os.MkdirTemp("", "compliancelayer-doctor-*")
	if err != nil {
		return warning("give this user a temporary folder", "%s", err)
	}
	defer os.RemoveAll(folder)
	rehearsal := filepath.Join(folder, "copy.db")
	if err := app.Backup(ctx, p.cfg.Database, rehearsal, nil); err != nil {
		return failure("name a database of this program with --database, or restore a backup", "%s", err)
	}
	steps := 0
	if err := app.Migrate(ctx, rehearsal, func(int64, string) { steps++ }); err != nil {
		return failure("start the release that made it, or a later one", "%s", strings.ReplaceAll(err.Error(), rehearsal, p.cfg.Database))
	}
	if steps > 0 {
		return fine("%d migrations will be made when the server starts; rehearsed on a copy", steps)
	}
	return fine("up to date")
}

// key looks whether the encryption key is there, hidden from others, and opens the
// database's secrets.
func (p *patient) key(ctx context.Context) finding {
	path := app.KeyFile(p.cfg.Database, p.cfg.SecretKeyFile)
	info, err := os.Stat(path)
	if p.cfg.SecretKey == "" && err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return failure("chmod 600 "+path, "%s can be read by others (mode %04o)", path, info.Mode().Perm())
	}
	if p.tables {
		looking, cancel := context.WithTimeout(ctx, checkTime)
		defer cancel()
		if err := app.ExamineKey(looking, p.cfg); err != nil {
			return failure("restore the key from where you keep a copy, or name its file with --secret-key-file", "%s", err)
		}
	}
	switch {
	case p.cfg.SecretKey != "":
		return fine("in the environment")
	case errors.Is(err, fs.ErrNotExist):
		return fine("%s will be made", path)
	case err != nil:
		return failure("give the user of the server access to it", "%s", err)
	}
	return fine("%s; keep a copy of it apart from the database", path)
}

const (
	littleDisk = 1 << 30   // below it, look after the disk
	noDisk     = 100 << 20 // below it, SQLite's log and a checkpoint may not fit
)

// disk looks for room.
func (p *patient) disk(context.Context) finding {
	if _, ok := p.postgres(); ok {
		return fine("kept by PostgreSQL")
	}
	folder := filepath.Dir(p.cfg.Database)
	for folder != "." && folder != "/" {
		if _, err := os.Stat(folder); err == nil {
			break
		}
		folder = filepath.Dir(folder)
	}
	free, err := freeDisk(folder)
	switch {
	case err != nil:
		return warning("look at it yourself", "cannot be measured: %s", err)
	case free < noDisk:
		return failure("make room, or lower --retention", "%s free in %s", size(free), folder)
	case free < littleDisk:
		return warning("make room, or lower --retention", "%s free in %s", size(free), folder)
	}
	return fine("%s free in %s", size(free), folder)
}

// firstYear is before this program was written: a clock that says less is not set.
const firstYear = 2025

// clock looks whether the time can be right: receivers refuse requests whose time is five
// minutes away.
func (p *patient) clock(ctx context.Context) finding {
	now := time.Now().UTC()
	if now.Year() < firstYear {
		return failure("set the clock, and keep it right with NTP", "it is %s here", now.Format(time.DateTime))
	}
	if !p.serving {
		return fine("%sZ", now.Format(time.DateTime))
	}
	skew, err := p.skew(ctx)
	if err != nil {
		return warning("try again", "the server's time cannot be read: %s", err)
	}
	if skew > 5*time.Second || skew < -5*time.Second {
		return warning("keep the clocks right with NTP", "the server's clock differs by %s", skew)
	}
	return fine("%sZ, and the server agrees", now.Format(time.DateTime))
}

// skew compares this clock with that of the server.
func (p *patient) skew(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+reachable(p.cfg.Listen)+"/healthz", nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	there, err := http.ParseTime(res.Header.Get("Date"))
	return time.Until(there).Round(time.Second), err
}

// egress says where deliveries may go.
func (p *patient) egress(context.Context) finding {
	for _, text := range p.cfg.AllowTargets {
		if _, err := egress.ParseAllow(text); err != nil {
			return failure("correct --allow-targets", "%s", err)
		}
	}
	open := []string{"https to public addresses"}
	if p.cfg.Dev {
		open = append(open, "this machine and http://localhost (--dev)")
	}
	open = append(open, p.cfg.AllowTargets...)
	if len(open) == 1 {
		return fine("%s only", open[0])
	}
	return warning("use --dev and --allow-targets only where nobody else can add endpoints", "%s", words(open))
}

// proxy tells of proxies in the environment, which deliveries do not use.
func (p *patient) proxy(context.Context) finding {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"} {
		if os.Getenv(name) != "" {
			return warning("allow direct https connections from this machine", "%s is set, but deliveries never use a proxy", name)
		}
	}
	return fine("none set; deliveries connect directly")
}

// resolver looks a name up, as deliveries do.
func (p *patient) resolver(ctx context.Context) finding {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, p.resolve)
	if err != nil {
		return warning("look at the name servers of this machine (/etc/resolv.conf); deliveries to names will fail", "%s", err)
	}
	return fine("%s is %s", p.resolve, words(addresses[:min(2, len(addresses))]))
}

// mail asks the mail server whether it answers. Without it deliveries go on, and nobody is told of those that do not.
func (p *patient) mail(ctx context.Context) finding {
	m := p.cfg.Mail
	if m.Server == "" {
		return fine("nobody is told by mail (--smtp)")
	}
	if err := m.Check(); err != nil {
		return failure("correct the setting", "%s", err)
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if err := app.ExamineMail(ctx, p.cfg); err != nil {
		return warning("start the mail server, or correct --smtp, --smtp-tls, --smtp-user and its password", "%s: %s", m.Server, err)
	}
	how := "it answers, with TLS"
	if m.TLS == "none" {
		how = "it answers, without TLS"
	}
	if m.User != "" {
		how += ", and takes the password"
	}
	return fine("%s: %s; mails come from %s", m.Server, how, m.From)
}
