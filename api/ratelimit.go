package api

import (
	"container/list"
	"crypto/sha256"
	"math"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"
)

// Limits hold callers back, in this process. What is zero limits nothing.
type Limits struct {
	Rate  float64 // requests of one token per second
	Burst int     // requests of one token at once; at least 1 when Rate is set

	// An address that presents wrong tokens is refused without a look at what it presents next: so many wrong ones at
	// once, and one more after each WrongTokenEvery.
	WrongTokens     int
	WrongTokenEvery time.Duration
}

// maxAddresses bounds the table of addresses; past it the one that was silent for longest is forgotten. Who has more
// addresses than that is slowed less.
const maxAddresses = 4096

// perToken makes the limiter of every token, by the token's hash.
func (l Limits) perToken(tokens []Token) map[[sha256.Size]byte]*rate.Limiter {
	if l.Rate <= 0 {
		return nil
	}
	all := make(map[[sha256.Size]byte]*rate.Limiter, len(tokens))
	for _, t := range tokens {
		all[t.Hash] = rate.NewLimiter(rate.Limit(l.Rate), max(l.Burst, 1))
	}
	return all
}

// take takes one from a limiter, or tells how long to wait for one.
func take(l *rate.Limiter, now time.Time) (*rate.Reservation, time.Duration) {
	r := l.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return r, wait
}

// withinRate refuses a request of a token that makes too many.
func (s *Server) withinRate(c *gin.Context, token Token) bool {
	limiter := s.rates[token.Hash]
	if limiter == nil {
		return true
	}
	_, wait := take(limiter, s.now())
	if wait > 0 {
		writeProblem(c, rateLimited("The token makes too many requests.", wait))
	}
	return wait <= 0
}

func rateLimited(detail string, wait time.Duration) *Problem {
	p := problem(http.StatusTooManyRequests, "rate_limited", detail)
	p.retryAfter = max(1, int(math.Ceil(wait.Seconds())))
	return p
}

// guesses slows the guessing of tokens by address. A token that was right from an address goes on being let in from
// there, so that who guesses from behind the same proxy does not lock out those who know.
type guesses struct {
	limits Limits
	mu     sync.Mutex
	byAddr map[netip.Addr]*list.Element // of *guesser
	recent *list.List                   // the one that was silent for longest is last
}

type guesser struct {
	addr    netip.Addr
	limiter *rate.Limiter
	known   map[[sha256.Size]byte]bool // tokens that were right from here
	refused bool                       // and it has been logged
}

func newGuesses(l Limits) *guesses {
	return &guesses{limits: l, byAddr: map[netip.Addr]*list.Element{}, recent: list.New()}
}

// judge is told whether the token that an address presents is right, and says how long the address must wait, and
// whether that has just begun. The token has been compared before, so that what follows takes as long either way.
func (g *guesses) judge(from netip.Addr, token Token, right bool, now time.Time) (wait time.Duration, begun bool) {
	if g.limits.WrongTokens <= 0 {
		return 0, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	who := g.of(from)
	if right && who.known[token.Hash] {
		return 0, false
	}
	r, wait := take(who.limiter, now)
	if wait > 0 {
		begun, who.refused = !who.refused, true
		return wait, begun
	}
	who.refused = false
	if right {
		r.CancelAt(now) // it was no guess
		who.known[token.Hash] = true
	}
	return 0, false
}

// of finds or makes the entry of an address. Of IPv6 the first 64 bits count: one customer has all that is behind them.
func (g *guesses) of(from netip.Addr) *guesser {
	if from = from.Unmap(); from.Is6() {
		network, _ := from.WithZone("").Prefix(64) // 64 fits every IPv6 address
		from = network.Addr()
	}
	if e, ok := g.byAddr[from]; ok {
		g.recent.MoveToFront(e)
		return e.Value.(*guesser)
	}
	if g.recent.Len() >= maxAddresses {
		oldest := g.recent.Remove(g.recent.Back()).(*guesser)
		delete(g.byAddr, oldest.addr)
	}
	who := &guesser{addr: from, known: map[[sha256.Size]byte]bool{},
		limiter: rate.NewLimiter(rate.Every(g.limits.WrongTokenEvery), g.limits.WrongTokens)}
	g.byAddr[from] = g.recent.PushFront(who)
	return who
}

// clientAddr is the address that the request came from; behind a trusted proxy the one that the proxy names.
func clientAddr(c *gin.Context) netip.Addr {
	addr, _ := netip.ParseAddr(c.ClientIP()) // what cannot be read shares one entry
	return addr
}

// trustOnly replaces gin's default, which believes everybody who names another address.
func trustOnly(r *gin.Engine, proxies []netip.Prefix) {
	r.RemoteIPHeaders = []string{"X-Forwarded-For"}
	var texts []string
	for _, p := range proxies {
		texts = append(texts, p.String())
	}
	if err := r.SetTrustedProxies(texts); err != nil {
		panic(err) // a netip.Prefix can be read by net.ParseCIDR
	}
}
