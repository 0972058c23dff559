package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher/sign"
)

// listening is a `tidings listen` that runs until the test ends.
type listening struct {
	t    *testing.T
	base string
	out  *lockedBuffer
	stop func() int
}

func listen(t *testing.T, args ...string) *listening {
	t.Helper()
	out, address := &lockedBuffer{}, &lockedBuffer{}
	both := io.MultiWriter(out, address)
	ctx, cancel := context.WithCancel(context.Background())
	exit := make(chan int, 1)
	go func() { exit <- run(ctx, append([]string{"listen", "--port", "0"}, args...), both, address) }()
	l := &listening{t: t, out: out}
	l.stop = func() int { cancel(); code := <-exit; exit <- code; return code }
	t.Cleanup(func() { l.stop() })
	l.eventually(func() bool {
		_, rest, found := strings.Cut(address.String(), "listening on ")
		l.base, _, _ = strings.Cut(rest, "\n")
		return found && l.base != ""
	})
	return l
}

func (l *listening) eventually(ok func() bool) {
	l.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			l.t.Fatalf("waited in vain; it printed:\n%s", l.out)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// post sends one request; headers are name, value, ...
func (l *listening) post(ctx context.Context, path, body string, headers ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.base+path, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err == nil {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
	return res, err
}

func (l *listening) must(path, body string, headers ...string) int {
	l.t.Helper()
	res, err := l.post(l.t.Context(), path, body, headers...)
	if err != nil {
		l.t.Fatal(err)
	}
	return res.StatusCode
}

// lines are those of --json.
func (l *listening) lines() (facts []arrivalFacts) {
	l.t.Helper()
	for line := range strings.Lines(l.out.String()) {
		var f arrivalFacts
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			l.t.Fatalf("%v: %s", err, line)
		}
		facts = append(facts, f)
	}
	return facts
}

const norceBody = `{"id":"1001","merchant":"acme","channel":"web","total":93.09000000,"a":"&"}`

func TestListenPrintsForPeople(t *testing.T) {
	t.Parallel()
	secret := sign.GenerateSecret()
	l := listen(t, "--secret", secret)
	l.must("/in?token=x", norceBody, "webhook-id", "d-1", "X-Tidings-Order-Version", "7", "X-Tidings-Scope", "state.completed", "X-Tidings-Attempt", "1")
	l.must("/in?token=x", "\x1b[2Jno JSON", "webhook-id", "d-\xc2\x9b1")
	out := l.out.String()
	for _, part := range []string{
		"POST /in?token=x -> 200 | order 1001 v7 (state.completed) | norce | seal: BAD: the request bears no seal: expected webhook-signature",
		"\n" + norceBody + "\n", "webhook-id d-1, attempt 1", `"\x1b[2Jno JSON"`, "no order | unknown",
	} {
		if !strings.Contains(out, part) {
			t.Errorf("it did not print %q:\n%s", part, out)
		}
	}
	if strings.ContainsAny(out, "\x1b\u009b") {
		t.Error("the terminal is told what to do by what was received")
	}
	if code := l.stop(); code != 0 {
		t.Error("exit status", code)
	}
}

func TestListenVerifiesEveryScheme(t *testing.T) {
	t.Parallel()
	secret, stranger := sign.GenerateSecret(), sign.GenerateSecret()
	whsk, whpk := sign.GenerateKeyV1a()
	rsaKey := sign.GenerateRSAKey()
	pem, err := sign.PublicPEM(&rsaKey.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, pem, 0o600); err != nil {
		t.Fatal(err)
	}
	l := listen(t, "--json", "--secret", sign.GenerateSecret(), "--secret", secret, "--public-key", whpk, "--public-key", file)
	v1 := func(s string) sign.Signer { signer, _ := sign.NewStandardWebhooks(s); return signer }
	v1a, _ := sign.NewStandardWebhooksV1a(whsk)
	byHTTP := func(key string) sign.Signer { signer, _ := sign.NewHTTPMessageSignatures(key); return signer }
	fatPay, _ := sign.NewFaTPay(sign.FaTPay{PartnerID: "p", Key: rsaKey})
	for i, row := range []struct {
		why            string
		by             sign.Signer
		age            time.Duration
		path           string
		seal, reason   string
		detail, format string
	}{
		{why: "the second secret", by: v1(secret), seal: "good"},
		{why: "ed25519", by: v1a, seal: "good"},
		{why: "RSA, from a file", by: fatPay, path: "/fat?a=1", seal: "good", format: "fatpay"},
		{why: "RFC 9421, by a secret", by: byHTTP(secret), path: "/in?a=%20b", seal: "good"},
		{why: "RFC 9421, by ed25519", by: byHTTP(whsk), seal: "good"},
		{why: "RFC 9421, by another's secret", by: byHTTP(stranger), seal: "bad", reason: "no_match", detail: "tried 1 signatures with 3 keys"},
		{why: "another's", by: v1(stranger), seal: "bad", reason: "no_match", detail: "tried 1 v1 entries with 2 secrets"},
		{why: "old", by: v1(secret), age: time.Hour, seal: "bad", reason: "too_old", detail: "300 s are allowed"},
	} {
		m := sign.Message{Method: "POST", URL: l.base + row.path, ID: fmt.Sprint("d-", i), Timestamp: time.Now().Add(-row.age), ContentType: "application/json", Body: []byte(norceBody)}
		header, err := row.by.Sign(m)
		if err != nil {
			t.Fatal(err)
		}
		headers := []string{"Content-Type", m.ContentType}
		for name, values := range header {
			headers = append(headers, name, values[0])
		}
		l.must(row.path, norceBody, headers...)
		f := l.lines()[i]
		if f.Seal != row.seal || string(f.SealReason) != row.reason || !strings.Contains(f.SealDetail, row.detail) || row.format != "" && string(f.Format) != row.format {
			t.Errorf("%s: %+v", row.why, f)
		}
	}
	if line, _, _ := strings.Cut(l.out.String(), "\n"); !strings.Contains(line, `"body":`+norceBody) {
		t.Error("the body is not as it came:", line)
	}
}

func TestListenKnowsDuplicatesAndLateOnes(t *testing.T) {
	t.Parallel()
	l := listen(t, "--json", "--fail-first", "1")
	for i, row := range []struct {
		why                       string
		path, id, version, order  string
		body                      string // of a format that does not name the order as Tidings does; its header does
		duplicate, accepted, late bool
	}{
		{why: "first", path: "/a", id: "d-1", version: "2", order: "1"},
		{why: "a retry: it was answered 503", path: "/a", id: "d-1", version: "2", order: "1", duplicate: true},
		{why: "a true duplicate", path: "/a", id: "d-1", version: "2", order: "1", duplicate: true, accepted: true},
		{why: "newer", path: "/a", id: "d-2", version: "3", order: "1"},
		{why: "late", path: "/a", id: "d-3", version: "2", order: "1", late: true},
		{why: "another notification of the order has its own lane", path: "/b", id: "d-4", version: "2", order: "1"},
		{why: "another order", path: "/a", id: "d-5", version: "1", order: "2"},
		{why: "an event of noon's without an order_nr", path: "/c", id: "d-6", version: "2", order: "1", body: `{"event_schema_version":1,"event_type":"A::B","metadata":{},"payload":{}}`},
		{why: "late, and the body says another id", path: "/c", id: "d-7", version: "1", order: "1", body: `{"id":"own-1","merchant":"acme","channel":"web"}`, late: true},
		{why: "late, and no format of ours", path: "/c", id: "d-8", version: "1", order: "1", body: `{}`, late: true},
		{why: "not from Tidings: nothing to compare", path: "/a", order: "1"},
		{why: "again not from Tidings", path: "/a", order: "1"},
	} {
		body, headers := row.body, []string{"webhook-id", row.id, "X-Tidings-Order-Version", row.version, "X-Merchant", "acme", "X-Tidings-Order", row.order}
		if body == "" { // from a Tidings that did not send X-Tidings-Order yet: the body tells
			body, headers = `{"id":"`+row.order+`","merchant":"acme","channel":"web"}`, headers[:6]
		}
		l.must(row.path, body, headers...)
		f := l.lines()[i]
		if f.Duplicate != row.duplicate || f.AcceptedBefore != row.accepted || f.Late != row.late {
			t.Errorf("%s: %+v", row.why, f)
		}
	}
}

func TestListenPlaysFaults(t *testing.T) {
	t.Parallel()
	statuses := func(l *listening, n int) (list []int) {
		for range n {
			list = append(list, l.must("/", norceBody))
		}
		return list
	}
	count := func(list []int, status int) (n int) {
		for _, s := range list {
			if s == status {
				n++
			}
		}
		return n
	}
	if got := fmt.Sprint(statuses(listen(t, "--status", "418"), 2)); got != "[418 418]" {
		t.Error("--status:", got)
	}
	if got := fmt.Sprint(statuses(listen(t, "--fail-first", "2", "--fail-status", "429"), 3)); got != "[429 429 200]" {
		t.Error("--fail-first:", got)
	}
	first := statuses(listen(t, "--fail", "0.3", "--seed", "7"), 200)
	if n := count(first, 503); n < 30 || n > 90 {
		t.Errorf("--fail 0.3: %d of 200 fail", n)
	}
	if again := statuses(listen(t, "--fail", "0.3", "--seed", "7"), 200); fmt.Sprint(first) != fmt.Sprint(again) {
		t.Error("--seed: the same seed gives another fate")
	}
	if other := statuses(listen(t, "--fail", "0.3", "--seed", "8"), 200); fmt.Sprint(first) == fmt.Sprint(other) {
		t.Error("--seed has no effect")
	}
	if n := count(statuses(listen(t, "--fail", "1"), 20), 503); n != 20 {
		t.Errorf("--fail 1: %d of 20 fail", n)
	}

	l := listen(t, "--fail-first", "1", "--retry-after", "5")
	for i, want := range []string{"5", ""} {
		res, err := l.post(t.Context(), "/", norceBody)
		if err != nil || res.Header.Get("Retry-After") != want {
			t.Errorf("--retry-after, request %d: %v %v", i, res.Header, err)
		}
	}
}

func TestListenIsSlowOrSilent(t *testing.T) {
	t.Parallel()
	l, began := listen(t, "--delay", "300ms"), time.Now()
	if status := l.must("/", norceBody); status != 200 || time.Since(began) < 300*time.Millisecond {
		t.Error("--delay:", status, time.Since(began))
	}
	l = listen(t, "--hang", "--json")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { _, err := l.post(ctx, "/", norceBody); ended <- err }()
	l.eventually(func() bool { return len(l.lines()) == 1 })
	select {
	case err := <-ended:
		t.Error("--hang has answered:", err)
	case <-time.After(200 * time.Millisecond):
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error("--hang:", err)
	}
	if f := l.lines(); len(f) != 1 || f[0].Fault != "hang" || f[0].Status != 0 {
		t.Errorf("--hang: %+v", f)
	}
	l = listen(t, "--delay", "1h", "--json")
	impatient, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, _ = l.post(impatient, "/", norceBody)
	l.eventually(func() bool { return len(l.lines()) == 1 })
	if f := l.lines()[0]; f.Status != 0 || f.Fault != "" {
		t.Errorf("a sender that gave up: %+v", f)
	}
	if code := l.stop(); code != 0 {
		t.Error("exit status", code)
	}
}

func TestListenTellsEveryFaultOfItsFlagsAtOnce(t *testing.T) {
	t.Parallel()
	notAKey := filepath.Join(t.TempDir(), "x.pem")
	if err := os.WriteFile(notAKey, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	whsk, _ := sign.GenerateKeyV1a()
	secret := sign.GenerateSecret()
	for _, row := range []struct{ args, parts []string }{
		{[]string{"--secret", "whsec_short", "--public-key", whsk, "--public-key", notAKey, "--public-key", secret, "--status", "99", "--fail", "2", "--fail-status", "200",
			"--fail-first=-1", "--delay=-1s", "--fbpi-tries", "0", "--fbpi-token", "t0ken", "--fbpi-merchant", "m", "--out", "o"},
			[]string{"--secret (1 of 1)", "--public-key (1 of 3)", "--public-key (2 of 3)", "--public-key (3 of 3): it is a secret", "--status: 99", "--fail: 2", "--fail-status: 200",
				"--fail-first", "--delay", "--fbpi-tries", "--fbpi-token: goes", "--fbpi-merchant: goes", "--out: goes"}},
		{[]string{"--hang", "--fail", "0.5", "--delay", "1s"}, []string{"--hang never answers"}},
		{[]string{"--status", "503", "--fail", "0.5"}, []string{"--status 503 fails always"}},
		{[]string{"--retry-after", "5"}, []string{"--retry-after: goes with a failure only"}},
		{[]string{"--fail-status", "500"}, []string{"--fail-status: needs"}},
		{[]string{"--seed", "1"}, []string{"--seed: nothing"}},
		{[]string{"--fbpi-base", "http://u:p4ss@x/?a=1", "--hang"}, []string{"--fbpi-base: expected", "--out: is needed", "with --hang"}},
	} {
		code, _, stderr := runFor(t, append([]string{"listen", "--port", "0"}, row.args...)...)
		if code != 2 {
			t.Errorf("%v: exit status %d", row.args, code)
		}
		for _, part := range row.parts {
			if !strings.Contains(stderr, part) {
				t.Errorf("%v: %q is not told in:\n%s", row.args, part, stderr)
			}
		}
		for _, hidden := range []string{whsk, secret, "t0ken", "p4ss"} {
			if strings.Contains(stderr, hidden) {
				t.Errorf("%v: a secret is told", row.args)
			}
		}
	}
}
