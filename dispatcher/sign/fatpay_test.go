package sign_test

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher/sign"
)

// rsaKey is made anew in each run of the tests; none is ever kept.
var rsaKey = sync.OnceValue(sign.GenerateRSAKey)

type fatPayVectors struct {
	PublicKey string `json:"public_key_spki_pem"`
	Cases     []struct {
		Name, Method, Domain, URI, Signature string
		Params                               map[string]*string
		ToBeSigned                           string `json:"to_be_signed"`
	}
}

// request gives a case as a receiver gets it: what begins with x-fp- in headers, the rest in the query, null without "=".
func (v fatPayVectors) request(i int) (method, target string, header http.Header, at time.Time) {
	c := v.Cases[i]
	header = http.Header{}
	header.Set("X-FP-Signature", c.Signature)
	query := ""
	for name, value := range c.Params {
		switch {
		case value == nil:
			query += "&" + name
		case strings.HasPrefix(name, "x-fp-"):
			header.Set(name, *value)
		default:
			query += "&" + name + "=" + url.QueryEscape(*value)
		}
	}
	target = "https://" + c.Domain + c.URI
	if query != "" {
		target += "?" + query[1:]
	}
	seconds, _ := strconv.ParseInt(header.Get("X-FP-Timestamp"), 10, 64)
	return c.Method, target, header, time.Unix(seconds, 0)
}

func readFatPay(t testing.TB) (fatPayVectors, *rsa.PublicKey) {
	t.Helper()
	raw, err := os.ReadFile("testdata/fatpay-signature.json")
	if err != nil {
		t.Fatal(err)
	}
	var v fatPayVectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Cases) == 0 {
		t.Fatal("the vectors are empty")
	}
	pub, err := sign.ParsePublicPEM([]byte(v.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return v, pub.(*rsa.PublicKey)
}

func TestFaTPayVectors(t *testing.T) {
	t.Parallel()
	v, pub := readFatPay(t)
	for i, c := range v.Cases {
		method, target, header, at := v.request(i)
		if got, err := sign.FaTPaySignedString(method, target, header); got != c.ToBeSigned || err != nil {
			t.Errorf("%s: signed string\n%q, want\n%q: %v", c.Name, got, c.ToBeSigned, err)
		}
		if err := sign.VerifyFaTPay(method, target, header, at, tolerance, pub); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

func TestFaTPaySignedString(t *testing.T) {
	t.Parallel()
	const tail = "x-fp-nonce=1"
	for _, row := range []struct {
		why, method, target, want string
	}{
		{"the port is no part of the domain", "POST", "https://a.example:8443/p", "POSTa.example/p?" + tail},
		{"neither is the scheme's own port", "POST", "https://a.example:443/p", "POSTa.example/p?" + tail},
		{"method in capitals", "post", "http://a.example/p", "POSTa.example/p?" + tail},
		{"an empty path goes out as a slash", "POST", "http://a.example", "POSTa.example/?" + tail},
		{"the path is as in the request line", "POST", "http://a.example/a%20b%2Fc/", "POSTa.example/a%20b%2Fc/?" + tail},
		{"no userinfo, no fragment", "POST", "http://u:p@a.example/p#f", "POSTa.example/p?" + tail},
		{"an address", "POST", "http://127.0.0.1:80/p", "POST127.0.0.1/p?" + tail},
		{"an address with colons", "POST", "http://[::1]:80/p", "POST[::1]/p?" + tail},
		{"values are decoded", "POST", "http://a.example/p?u=https%3A%2F%2Fx%2B+y", "POSTa.example/p?u=https://x+ y&" + tail},
		{"capitals before small letters: ASCII", "POST", "http://a.example/p?a=1&Z=2&z=3", "POSTa.example/p?Z=2&a=1&" + tail + "&z=3"},
		{"sorted by key, the value has no part in it", "POST", "http://a.example/p?a-=1&a=2", "POSTa.example/p?a=2&a-=1&" + tail},
		{"null is dropped", "POST", "http://a.example/p?a&b=&=c", "POSTa.example/p?" + tail},
	} {
		header := http.Header{"X-FP-Nonce": {"1"}, "X-Fp-Signature": {"left out"}, "X-Other": {"no part of it"}, "X-Fp-Version": {""}}
		if got, err := sign.FaTPaySignedString(row.method, row.target, header); got != row.want || err != nil {
			t.Errorf("%s:\n%q, want\n%q: %v", row.why, got, row.want, err)
		}
	}
}

func TestFaTPayRefusesWhatHasNoSingleSignedString(t *testing.T) {
	t.Parallel()
	signer := mustFaTPay(t, sign.FaTPay{PartnerID: "p", Key: rsaKey()})
	for why, m := range map[string]sign.Message{
		"a parameter given twice":                   {Method: "POST", URL: "https://a.example/?a=1&a=2"},
		"a parameter named like a header":           {Method: "POST", URL: "https://a.example/?X-FP-Nonce=1"},
		"a query that frameworks read differently":  {Method: "POST", URL: "https://a.example/?a=1;b=2"},
		"a bad escape":                              {Method: "POST", URL: "https://a.example/?a=%zz"},
		"no domain":                                 {Method: "POST", URL: "https:///p"},
		"no scheme":                                 {Method: "POST", URL: "a.example/p"},
		"another scheme":                            {Method: "POST", URL: "ftp://a.example/p"},
		"not a URL":                                 {Method: "POST", URL: "https://a.example:x/%"},
		"a domain that is other bytes on the wire":  {Method: "POST", URL: "https://żółw.example/p"},
		"no method, which HTTP clients take as GET": {URL: "https://a.example/p"},
		"a method that runs into the domain":        {Method: "POST.", URL: "https://a.example/p"},
		"a letter that is S in capitals":            {Method: "POſT", URL: "https://a.example/p"},
	} {
		m.Timestamp = time.Unix(1661346861, 0)
		if header, err := signer.Sign(m); !errors.Is(err, sign.ErrBadURL) {
			t.Errorf("%s: %v, %v", why, header, err)
		}
	}
	if _, err := signer.Sign(sign.Message{Method: "POST", URL: "https://a.example/p"}); err == nil {
		t.Error("sealed without a timestamp")
	}
}

func mustFaTPay(t testing.TB, c sign.FaTPay) sign.Signer {
	t.Helper()
	signer, err := sign.NewFaTPay(c)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func TestNewFaTPayRefuses(t *testing.T) {
	t.Parallel()
	small := *rsaKey()
	small.N = new(rsa.PrivateKey).N // no modulus
	broken := *rsaKey()
	broken.Primes = broken.Primes[:1]
	for why, c := range map[string]sign.FaTPay{
		"no partner id":                          {Key: rsaKey()},
		"a partner id that ends its own pair":    {PartnerID: "a&b", Key: rsaKey()},
		"a partner id that ends its own header":  {PartnerID: "a\r\nX-Evil: 1", Key: rsaKey()},
		"no key":                                 {PartnerID: "p"},
		"a key without a modulus":                {PartnerID: "p", Key: &small},
		"a key whose primes are not its modulus": {PartnerID: "p", Key: &broken},
		"a key of zeros":                         {PartnerID: "p", Key: &rsa.PrivateKey{}},
	} {
		if _, err := sign.NewFaTPay(c); err == nil {
			t.Errorf("%s: a signer was made", why)
		}
	}
}

func TestFaTPayRoundTripThroughARealRequest(t *testing.T) {
	t.Parallel()
	for _, withVersion := range []bool{false, true} {
		verdict := make(chan error, 1)
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if (r.Header.Get("X-FP-Version") == "v1.0") != withVersion {
				t.Errorf("X-FP-Version is %q", r.Header.Get("X-FP-Version"))
			}
			verdict <- sign.VerifyFaTPay(r.Method, "http://"+r.Host+r.RequestURI, r.Header, time.Now(), tolerance, &rsaKey().PublicKey)
		}))
		defer server.Close()
		target := server.URL + "/webhook/f%C4%85t pay?token=a%2Bb%26c&empty=&Z=1&q=a+b"
		target = strings.Replace(target, " ", "%20", 1)
		seal, err := mustFaTPay(t, sign.FaTPay{PartnerID: "2yQrS9A0xmM8xpfa", Key: rsaKey(), VersionHeader: withVersion}).
			Sign(sign.Message{Method: "POST", URL: target, Timestamp: time.Now(), Body: []byte("{}")})
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequest(http.MethodPost, target, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = seal
		answer, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if err := <-verdict; err != nil {
			t.Errorf("version header %t: %v", withVersion, err)
		}
	}
}

func TestFaTPayHeadersAreNewOnEachCall(t *testing.T) {
	t.Parallel()
	signer := mustFaTPay(t, sign.FaTPay{PartnerID: "p", Key: rsaKey()})
	nonces := map[string]bool{}
	for range 20 {
		header, err := signer.Sign(sign.Message{Method: "POST", URL: "https://a.example/", Timestamp: time.Unix(1661346861, 999e6)})
		if err != nil {
			t.Fatal(err)
		}
		if len(header) != 4 || header.Get("X-FP-Partner-Id") != "p" || header.Get("X-FP-Timestamp") != "1661346861" {
			t.Fatalf("headers %v", header)
		}
		if signature := header.Get("X-FP-Signature"); len(signature) != base64.StdEncoding.EncodedLen(256) || strings.ContainsAny(signature, "\r\n") {
			t.Errorf("the signature is not one line of base64: %q", signature)
		}
		nonce := header.Get("X-FP-Nonce")
		if !regexp.MustCompile(`^[1-9][0-9]{5}$`).MatchString(nonce) {
			t.Errorf("nonce %q", nonce)
		}
		nonces[nonce] = true
	}
	if len(nonces) < 15 { // 20 of 900 000: six repeats are beyond chance
		t.Errorf("20 calls gave %d nonces", len(nonces))
	}
}

func TestVerifyFaTPaySaysWhy(t *testing.T) {
	t.Parallel()
	v, pub := readFatPay(t)
	method, target, _, at := v.request(0)
	set := func(name, value string) func(http.Header) { return func(h http.Header) { h.Set(name, value) } }
	del := func(name string) func(http.Header) { return func(h http.Header) { h.Del(name) } }
	for _, row := range []struct {
		why            string
		change         func(http.Header)
		now            time.Time
		method, target string
		key            *rsa.PublicKey
		want           error
		says           string
	}{
		{why: "as old as is allowed", now: at.Add(tolerance)},
		{why: "behind a proxy: another scheme and port", target: strings.Replace(target, "https://partner.example.com", "http://partner.example.com:8080", 1)},
		{why: "too old", now: at.Add(tolerance + time.Second), want: sign.ErrTooOld, says: "by 301 s, 300 s"},
		{why: "too new", now: at.Add(-tolerance - time.Second), want: sign.ErrTooNew},
		{why: "no partner id", change: del("X-FP-Partner-Id"), want: sign.ErrMissingHeader, says: "x-fp-partner-id"},
		{why: "no nonce", change: del("X-FP-Nonce"), want: sign.ErrMissingHeader, says: "x-fp-nonce"},
		{why: "no timestamp", change: del("X-FP-Timestamp"), want: sign.ErrMissingHeader, says: "x-fp-timestamp"},
		{why: "no signature", change: del("X-FP-Signature"), want: sign.ErrMissingHeader, says: "x-fp-signature"},
		{why: "a nonce is an integer", change: set("X-FP-Nonce", "86e4"), want: sign.ErrBadHeader, says: "x-fp-nonce"},
		{why: "a date is not a timestamp", change: set("X-FP-Timestamp", "2022-08-24"), want: sign.ErrBadHeader, says: "x-fp-timestamp"},
		{why: "which of two nonces?", change: func(h http.Header) { h.Add("X-FP-Nonce", "868964") }, want: sign.ErrBadHeader, says: "more than once"},
		{why: "which of two spellings?", change: func(h http.Header) { h["X-FP-Nonce"] = []string{"868964"} }, want: sign.ErrBadHeader, says: "more than once"},
		{why: "a value that looks like two", change: set("X-FP-Partner-Id", "a&x-fp-timestamp=1"), want: sign.ErrBadHeader, says: `"&"`},
		{why: "not base64", change: set("X-FP-Signature", "!"), want: sign.ErrBadHeader, says: "base64"},
		{why: "cut off", change: set("X-FP-Signature", "AAAA"), want: sign.ErrNoMatch, says: "3 bytes long, the key's are 256"},
		{why: "the nonce is sealed", change: set("X-FP-Nonce", "868965"), want: sign.ErrNoMatch, says: `"POSTpartner.example.com/webhook/fat-pay" with ["x-fp-nonce" "x-fp-partner-id" "x-fp-timestamp"]`},
		{why: "the timestamp is sealed", change: set("X-FP-Timestamp", "1661346862"), want: sign.ErrNoMatch},
		{why: "the partner id is sealed", change: set("X-FP-Partner-Id", "other"), want: sign.ErrNoMatch},
		{why: "so is the lack of a version", change: set("X-FP-Version", "v1.0"), want: sign.ErrNoMatch, says: "x-fp-version"},
		{why: "the method is sealed", method: "PUT", want: sign.ErrNoMatch, says: "PUT"},
		{why: "the domain is sealed", target: "https://other.example.com/webhook/fat-pay", want: sign.ErrNoMatch, says: "other.example.com"},
		{why: "the path is sealed", target: target + "/", want: sign.ErrNoMatch},
		{why: "the query is sealed", target: target + "?a=very%26secret", want: sign.ErrNoMatch, says: `"a"`},
		{why: "a handler that forgot the domain", target: "/webhook/fat-pay", want: sign.ErrBadURL},
		{why: "another's key", key: &rsaKey().PublicKey, want: sign.ErrNoMatch},
	} {
		_, _, header, _ := v.request(0)
		if row.change != nil {
			row.change(header)
		}
		if row.now.IsZero() {
			row.now = at
		}
		if row.method == "" {
			row.method = method
		}
		if row.target == "" {
			row.target = target
		}
		if row.key == nil {
			row.key = pub
		}
		err := sign.VerifyFaTPay(row.method, row.target, header, row.now, tolerance, row.key)
		if !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.why, err, row.want)
		}
		if err == nil {
			continue
		}
		if !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %q does not say %q", row.why, err, row.says)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q holds the value of a parameter", row.why, err)
		}
	}
	_, _, header, _ := v.request(0)
	for why, key := range map[string]*rsa.PublicKey{"no key": nil, "a key of zeros": {}, "exponent 1, under which all can sign": {N: pub.N, E: 1}} {
		if sign.VerifyFaTPay(method, target, header, at, tolerance, key) == nil {
			t.Errorf("%s: the seal held", why)
		}
	}
}

func TestFaTPayNeverPrintsItsKey(t *testing.T) {
	t.Parallel()
	cfg := sign.FaTPay{PartnerID: "p", Key: rsaKey()}
	secret := rsaKey().D.String()
	for _, value := range []any{cfg, &cfg, struct{ C sign.FaTPay }{cfg}, mustFaTPay(t, cfg)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			if got := fmt.Sprintf(verb, value); !strings.Contains(got, "key not shown") {
				t.Errorf("%s of %T prints %s", verb, value, got)
			}
		}
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", value)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", value)
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log of %T holds the key", value)
		}
	}
}

// FuzzVerifyFaTPay: what holds has the published signed string and signature; whatever can be signed verifies; nothing
// panics.
func FuzzVerifyFaTPay(f *testing.F) {
	v, pub := readFatPay(f)
	for i := range v.Cases {
		method, target, h, _ := v.request(i)
		f.Add(method, target, h.Get("X-FP-Partner-Id"), h.Get("X-FP-Nonce"), h.Get("X-FP-Timestamp"), h.Get("X-FP-Version"), h.Get("X-FP-Signature"))
	}
	f.Add("POST", "http://[::1%25x]:1/%2f?a=%26&b=;", "p&", "-1", "1e9", "\x00", "AA==")
	f.Add("POſT", "https://ż/?x-fp-nonce=1", "", "", "", "", "")
	private := rsaKey()
	f.Fuzz(func(t *testing.T, method, target, partner, nonce, timestamp, version, signature string) {
		header := http.Header{}
		for name, value := range map[string]string{
			"X-FP-Partner-Id": partner, "X-FP-Nonce": nonce, "X-FP-Timestamp": timestamp, "X-FP-Version": version, "X-FP-Signature": signature,
		} {
			header.Set(name, value)
		}
		at := time.Unix(1656600459, 0)
		if sign.VerifyFaTPay(method, target, header, at, 1e9*time.Second, pub) == nil {
			text, err := sign.FaTPaySignedString(method, target, header)
			if err != nil {
				t.Fatalf("held without a signed string: %v", err)
			}
			published := false
			for _, c := range v.Cases {
				published = published || (c.ToBeSigned == text && c.Signature == signature)
			}
			if !published {
				t.Errorf("held: %q by %q", text, signature)
			}
		}
		signer, err := sign.NewFaTPay(sign.FaTPay{PartnerID: partner, Key: private, VersionHeader: version != ""})
		if err != nil {
			return
		}
		header, err = signer.Sign(sign.Message{Method: method, URL: target, Timestamp: at})
		if err != nil {
			return
		}
		if err := sign.VerifyFaTPay(method, target, header, at, 0, &private.PublicKey); err != nil {
			t.Errorf("%s %q: signed and does not verify: %v", method, target, err)
		}
	})
}
