package api_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidings/tidings/api"
	"github.com/tidings/tidings/store/storetest"
)

// limited is a door with limits and a clock that the test turns.
type limited struct {
	door
	mu  sync.Mutex
	now time.Time
}

func (l *limited) clock() time.Time { l.mu.Lock(); defer l.mu.Unlock(); return l.now }
func (l *limited) pass(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = l.now.Add(d)
}

func openLimited(t testing.TB, limits api.Limits, proxies ...string) *limited {
	t.Helper()
	l := &limited{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	l.door = open(t, storetest.Mini(t), func(cfg *api.Config) {
		cfg.Limits, cfg.Now = limits, l.clock
		for _, p := range proxies {
			cfg.TrustedProxies = append(cfg.TrustedProxies, netip.MustParsePrefix(p))
		}
	})
	return l
}

// from sends a request with a token from an address.
func (l *limited) from(t testing.TB, address, token string, headers ...string) reply {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, v0+"/notifications/events", http.NoBody)
	r.RemoteAddr = address
	r.Header.Set("X-Merchant", "acme")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	l.handler.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := reply{w.Code, w.Header(), string(body)}
	if a.status >= 400 {
		a.checkProblem(t)
	}
	return a
}

// wants is from for what must come out so; of 429 the Retry-After, too.
func (l *limited) wants(t testing.TB, status int, retryAfter, address, token string, headers ...string) {
	t.Helper()
	a := l.from(t, address, token, headers...)
	if a.status != status || a.header.Get("Retry-After") != retryAfter {
		t.Errorf("%s from %s %v: %d, Retry-After %q; want %d, %q", token, address, headers, a.status, a.header.Get("Retry-After"), status, retryAfter)
	}
	if status == 429 && a.problem(t).Code != "rate_limited" {
		t.Errorf("told as %s", a.body)
	}
}

const home, elsewhere = "192.0.2.1:1000", "192.0.2.2:1000"

func TestATokenIsHeldToItsRate(t *testing.T) {
	t.Parallel()
	l := openLimited(t, api.Limits{Rate: 0.5, Burst: 3})
	for range 3 {
		l.wants(t, 200, "", home, adapterToken)
	}
	l.wants(t, 429, "2", home, adapterToken)
	l.wants(t, 429, "2", elsewhere, adapterToken) // the token counts, not where it comes from
	l.wants(t, 200, "", home, readerToken)        // the others have their own
	l.wants(t, 401, "", home, "")
	l.pass(time.Second)
	l.wants(t, 429, "1", home, adapterToken) // and what was refused was not counted
	l.pass(time.Second)
	l.wants(t, 200, "", home, adapterToken)
	l.wants(t, 429, "2", home, adapterToken)
	l.pass(time.Hour)
	for range 3 {
		l.wants(t, 200, "", home, adapterToken)
	}
	l.wants(t, 429, "2", home, adapterToken)
	l.must(t, 200, http.MethodGet, "/health/ready", "") // who watches the process is never refused
	for range 3 {
		l.must(t, 200, http.MethodGet, "/metrics", "", "Authorization: Bearer "+adminToken)
	}
	if a := l.must(t, 429, http.MethodGet, "/monitoring/", "", "Authorization: Bearer "+adminToken); a.header.Get("Retry-After") != "2" {
		t.Errorf("pages: %v", a.header)
	}
}

func TestNoLimitIsNone(t *testing.T) {
	t.Parallel()
	l := openLimited(t, api.Limits{})
	for range 200 {
		l.wants(t, 200, "", home, adapterToken)
		l.wants(t, 401, "", home, "wrong")
	}
}

func TestGuessingTokensIsSlow(t *testing.T) {
	t.Parallel()
	l := openLimited(t, api.Limits{WrongTokens: 3, WrongTokenEvery: 10 * time.Second})
	l.wants(t, 200, "", home, adapterToken)
	for range 10 { // without a token nothing is guessed: a browser asks so first
		l.wants(t, 401, "", home, "")
	}
	for i := range 3 {
		l.wants(t, 401, "", home, fmt.Sprint("guess-", i))
	}
	l.wants(t, 429, "10", home, "guess")
	l.wants(t, 429, "10", home, readerToken) // right, and it cannot be told from a wrong one
	l.wants(t, 200, "", home, adapterToken)  // was right from here before: no guess
	l.wants(t, 200, "", elsewhere, readerToken)
	l.wants(t, 429, "10", home, readerToken) // what was right elsewhere is still a guess here
	l.wants(t, 401, "", home, "")
	l.pass(9 * time.Second)
	l.wants(t, 429, "1", home, "guess")
	l.pass(time.Second)
	l.wants(t, 401, "", home, "guess") // one more
	l.wants(t, 429, "10", home, "guess")
	l.pass(10 * time.Second)
	l.wants(t, 200, "", home, readerToken)
	l.wants(t, 401, "", home, "guess") // what was right was given back
	l.wants(t, 200, "", home, readerToken)
}

func TestAddressOfTheClient(t *testing.T) {
	t.Parallel()
	one := api.Limits{WrongTokens: 1, WrongTokenEvery: time.Minute}
	const forwarded = "X-Forwarded-For"
	for _, row := range []struct {
		why, first, second string
		headers            []string // of the second
		same               bool
	}{
		{"one address, other ports", "192.0.2.1:1", "192.0.2.1:2", nil, true},
		{"two addresses", "192.0.2.1:1", "192.0.2.2:1", nil, false},
		{"IPv6: one customer's network", "[2001:db8::1]:1", "[2001:db8::ffff:1]:1", nil, true},
		{"IPv6: two networks", "[2001:db8::1]:1", "[2001:db8:0:1::1]:1", nil, false},
		{"IPv4 in IPv6", "192.0.2.1:1", "[::ffff:192.0.2.1]:1", nil, true},
		{"a stranger names another address", "192.0.2.1:1", "192.0.2.1:1", []string{forwarded, "198.51.100.1"}, true},
		{"nor by any other header", "192.0.2.1:1", "192.0.2.1:1", []string{"X-Real-IP", "198.51.100.1", "Forwarded", "for=198.51.100.1"}, true},
		{"a proxy names another address", "10.0.0.1:1", "10.0.0.1:1", []string{forwarded, "198.51.100.1"}, false},
		{"what a client wrote before the proxy did", "198.51.100.1:1", "10.0.0.1:1", []string{forwarded, "203.0.113.9, 198.51.100.1"}, true},
		{"a proxy by a header that it does not set", "10.0.0.1:1", "10.0.0.1:1", []string{"X-Real-IP", "198.51.100.1"}, true},
	} {
		l := openLimited(t, one, "10.0.0.0/8")
		l.wants(t, 401, "", row.first, "guess")
		if got := l.from(t, row.second, "guess", row.headers...).status == 429; got != row.same {
			t.Errorf("%s: counted as the same %v, want %v", row.why, got, row.same)
		}
	}
}

// Who has many addresses costs no more memory than the table holds, and those that go on are not forgotten.
func TestAddressesAreKeptWithinBounds(t *testing.T) {
	t.Parallel()
	l := openLimited(t, api.Limits{WrongTokens: 1, WrongTokenEvery: time.Hour})
	l.wants(t, 401, "", home, "guess")
	const many = 20_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range many {
		l.from(t, "10.0."+strconv.Itoa(i/256)+"."+strconv.Itoa(i%256)+":1", "guess")
		if i%1000 == 0 {
			l.wants(t, 429, "3600", home, "guess")
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 { // 4096 of some hundred bytes; other tests run beside
		t.Errorf("%d addresses cost %d bytes", many, grown)
	}
	l.wants(t, 401, "", "10.0.0.0:1", "guess") // forgotten, so the table has an end
	l.wants(t, 429, "3600", "10.0."+strconv.Itoa((many-1)/256)+"."+strconv.Itoa((many-1)%256)+":1", "guess")
}

// Limits at once from many sides let through exactly what they say.
func TestLimitsHoldAtOnce(t *testing.T) {
	t.Parallel()
	l := openLimited(t, api.Limits{Rate: 1, Burst: 50, WrongTokens: 20, WrongTokenEvery: time.Hour})
	var mu sync.Mutex
	count := map[string]int{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				for _, token := range []string{"guess", adapterToken} {
					address := home
					if token == adapterToken {
						address = elsewhere
					}
					status := l.from(t, address, token).status
					mu.Lock()
					count[token+" "+strconv.Itoa(status)]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	want := map[string]int{"guess 401": 20, "guess 429": 140, adapterToken + " 200": 50, adapterToken + " 429": 110}
	if fmt.Sprint(count) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", count, want)
	}
}

// The table is in the way of every request: what it costs must not be felt.
func BenchmarkAuthentication(b *testing.B) {
	for name, limits := range map[string]api.Limits{
		"unlimited": {}, "limited": {Rate: 1e9, Burst: 1 << 30, WrongTokens: 20, WrongTokenEvery: time.Second},
	} {
		b.Run(name, func(b *testing.B) {
			l := open(b, storetest.Mini(b), func(cfg *api.Config) {
				cfg.Limits = limits
				for i := range 100 {
					cfg.Tokens = append(cfg.Tokens, api.Token{Hash: sha256.Sum256([]byte(strconv.Itoa(i))), Merchants: []string{"*"}, Role: api.RoleMerchant})
				}
			})
			b.RunParallel(func(pb *testing.PB) {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodDelete, orders+"1", strings.NewReader(""))
				r.Header.Set("Authorization", "Bearer "+readerToken)
				for pb.Next() {
					w := httptest.NewRecorder()
					if l.handler.ServeHTTP(w, r); w.Code != 403 {
						b.Fatal(w.Code)
					}
				}
			})
		})
	}
}
