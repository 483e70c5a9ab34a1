package api

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// limiter bounds the requests of each account but the default one. A nil limiter allows everything.
type limiter struct {
	perSecond int
	accounts  *auth.Buckets
}

func newLimiter(perSecond int) *limiter {
	return &limiter{perSecond: perSecond, accounts: auth.NewBuckets(perSecond)}
}

// take takes a token of the account, says in the header how things stand, and answers a
// 429 when there is no token.
func (l *limiter) take(header http.Header, accountID string, now time.Time) error {
	if l == nil || accountID == store.DefaultAccount {
		return nil
	}
	left, ok := l.accounts.Take(accountID, now)
	full := now.Add(time.Duration((float64(l.perSecond) - left) / float64(l.perSecond) * float64(time.Second)))
	header.Set("X-RateLimit-Limit", strconv.Itoa(l.perSecond))
	header.Set("X-RateLimit-Remaining", strconv.Itoa(int(left)))
	header.Set("X-RateLimit-Reset", strconv.FormatInt(int64(math.Ceil(float64(full.UnixMilli())/1000)), 10))
	if ok {
		return nil
	}
	return tooMany(fmt.Sprintf("This account may make %d requests a second, with all of its keys together; wait as long as Retry-After says.", l.perSecond))
}

// tooMany is a 429. A second brings a bucket's whole fill back.
func tooMany(message string) *problem {
	return &problem{status: http.StatusTooManyRequests, code: client.CodeRateLimit, retryAfter: 1, message: message}
}
