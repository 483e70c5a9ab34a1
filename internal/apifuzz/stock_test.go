package apifuzz_test

import (
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
)

// stock holds what answers named, so that later requests can name it again.
type stock struct {
	mu   sync.Mutex
	made map[string]*shelf // by the account's id
}

// shelf is what one account has seen, by kind.
type shelf struct {
	named    map[string][]string
	secrets  []string       // signing secrets, which it was shown once
	accepted map[string]int // deliveries by event
}

// The kinds of what is named. A cursor's kind is the id of its list's operation.
const (
	anEndpoint = "endpoint"
	anEvent    = "event"
	aDelivery  = "delivery"
	aJob       = "job"
	aKey       = "key"
	anAccount  = "account"
	aType      = "type"
	anAddress  = "address"
)

// most is how many of a kind are kept: enough to choose from.
const most = 60

func newStock(p *program) *stock {
	s := &stock{made: map[string]*shelf{}}
	for _, a := range p.accounts {
		s.made[a.id] = &shelf{named: map[string][]string{}, accepted: map[string]int{}}
	}
	return s
}

// any gives one of a kind that an account knows; "" = there is none.
func (s *stock) any(r *rand.Rand, a *account, kind string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.made[a.id].named[kind]
	if len(all) == 0 {
		return ""
	}
	if fresh := all[max(0, len(all)-5):]; r.IntN(2) == 0 { // the newest are the most alive
		return fresh[r.IntN(len(fresh))]
	}
	return all[r.IntN(len(all))]
}

// secret gives a signing secret of an account; "" = there is none.
func (s *stock) secret(r *rand.Rand, a *account) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all := s.made[a.id].secrets; len(all) > 0 {
		return all[r.IntN(len(all))]
	}
	return ""
}

var (
	eventID    = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	deliveryID = regexp.MustCompile(`^[0-9]+$`)
)

// kindOf tells ids apart by how they look; "" = it is none.
func kindOf(member, text string) string {
	switch {
	case !strings.HasSuffix(member, "id"):
		return ""
	case strings.HasPrefix(text, "ep_"):
		return anEndpoint
	case strings.HasPrefix(text, "job_"):
		return aJob
	case strings.HasPrefix(text, "key_"):
		return aKey
	case strings.HasPrefix(text, "acc_"):
		return anAccount
	case eventID.MatchString(text):
		return anEvent
	case deliveryID.MatchString(text):
		return aDelivery
	}
	return ""
}

// learn takes what a good answer to an account names.
func (s *stock) learn(a *account, op *operation, body []byte) {
	var answer any
	if json.Unmarshal(body, &answer) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	shelf := s.made[a.id]
	shelf.walk(op, "", answer)
	if strings.HasPrefix(op.ID, "publishEvent") {
		shelf.accept(answer)
	}
}

// walk goes through an answer, but for what the callers or the catalogue wrote: data of an
// event has ids of its own.
func (sh *shelf) walk(op *operation, member string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			if name != "sample" && name != "schema" && !(name == "data" && op.ID == "getEvent") {
				sh.walk(op, name, inner)
			}
		}
	case []any:
		for _, inner := range v {
			sh.walk(op, member, inner)
		}
	case string:
		sh.text(op, member, v)
	}
}

func (sh *shelf) text(op *operation, member, value string) {
	switch kind := kindOf(member, value); {
	case kind != "":
		sh.put(kind, value)
	case member == "next_cursor":
		sh.put(op.ID, value)
	case member == "name" && strings.HasSuffix(op.path, "/event-types") && op.method == "POST":
		sh.put(aType, value)
	case member == "email":
		sh.put(anAddress, value)
	case member == "secret":
		sh.secrets = append(sh.secrets, value)
	}
}

func (sh *shelf) put(kind, value string) {
	all := sh.named[kind]
	for _, had := range all {
		if had == value {
			return
		}
	}
	if len(all) >= most {
		all = all[1:]
	}
	sh.named[kind] = append(all, value)
}

// accept notes an event, or a batch of them, that the server took on.
func (sh *shelf) accept(answer any) {
	object, _ := answer.(map[string]any)
	if batch, ok := object["events"].([]any); ok {
		for _, one := range batch {
			sh.accept(one)
		}
		return
	}
	id, _ := object["id"].(string)
	deliveries, _ := object["deliveries"].([]any)
	sh.accepted[id] = len(deliveries)
}
