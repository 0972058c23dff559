package sign_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher/sign"
)

// arrived sends a sealed request to a real server and gives it as it arrived.
func arrived(t *testing.T, path string, keys ...string) (*http.Request, []byte) {
	t.Helper()
	type arrival struct {
		r    *http.Request
		body []byte
	}
	arrivals := make(chan arrival, 1)
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		arrivals <- arrival{r.Clone(t.Context()), body}
	}))
	t.Cleanup(server.Close)
	signer, err := sign.NewHTTPMessageSignatures(keys...)
	if err != nil {
		t.Fatal(err)
	}
	m := httpMessage
	m.URL, m.Timestamp = strings.ToUpper(server.URL[:5])+server.URL[5:]+path, time.Now()
	header, err := signer.Sign(m)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest(m.Method, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	request.Header.Set("Content-Type", m.ContentType)
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	got := <-arrivals
	return got.r, got.body
}

func TestVerifyHTTPMessageSignatures(t *testing.T) {
	t.Parallel()
	secret, other := sign.GenerateSecret(), sign.GenerateSecret()
	private, public := sign.GenerateKeyV1a()
	for _, path := range []string{"", "/", "/a%2Fb/%C3%A4?token=a%20b&x=+&y", "/?", "/a?b?c"} {
		r, body := arrived(t, path, secret, private)
		for why, keys := range map[string][]string{
			"the secret": {secret}, "the public key": {public}, "one of several": {other, public},
		} {
			if err := sign.VerifyHTTPMessageSignatures(r, body, time.Now(), time.Minute, keys...); err != nil {
				t.Errorf("%q by %s: %v", path, why, err)
			}
		}
		if err := sign.VerifyHTTPMessageSignatures(r, body, time.Now(), time.Minute, other); !errors.Is(err, sign.ErrNoMatch) {
			t.Errorf("%q by another secret: %v", path, err)
		}
	}
}

func TestHTTPMessageSignaturesNoticeEveryChange(t *testing.T) {
	t.Parallel()
	secret := sign.GenerateSecret()
	private, public := sign.GenerateKeyV1a()
	set := func(name, value string) func(*http.Request, *[]byte) {
		return func(r *http.Request, _ *[]byte) { r.Header.Set(name, value) }
	}
	replace := func(name, old, to string) func(*http.Request, *[]byte) {
		return func(r *http.Request, _ *[]byte) { r.Header.Set(name, strings.ReplaceAll(r.Header.Get(name), old, to)) }
	}
	for _, row := range []struct {
		why    string
		change func(*http.Request, *[]byte)
		want   error
	}{
		{"nothing", func(*http.Request, *[]byte) {}, nil},
		{"another header, which is not covered", set("X-Other", "x"), nil},
		{"method", func(r *http.Request, _ *[]byte) { r.Method = "PUT" }, sign.ErrNoMatch},
		{"host: sent on to another receiver", func(r *http.Request, _ *[]byte) { r.Host = "other.example" }, sign.ErrNoMatch},
		{"path", func(r *http.Request, _ *[]byte) { r.URL.Path = "/b" }, sign.ErrNoMatch},
		{"query", func(r *http.Request, _ *[]byte) { r.URL.RawQuery = "token=y" }, sign.ErrNoMatch},
		{"body", func(_ *http.Request, body *[]byte) { *body = []byte(`{"a":2}`) }, sign.ErrAltered},
		{"body and its digest", func(r *http.Request, body *[]byte) {
			*body = nil
			r.Header.Set("Content-Digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:")
		}, sign.ErrNoMatch},
		{"digest by an algorithm that is none", set("Content-Digest", "md5=:AAAA:"), sign.ErrNoMatch},
		{"no digest", set("Content-Digest", ""), sign.ErrMissingHeader},
		{"content type", set("Content-Type", "text/plain"), sign.ErrNoMatch},
		{"webhook-id", set("Webhook-Id", "another"), sign.ErrNoMatch},
		{"no webhook-id", set("Webhook-Id", ""), sign.ErrMissingHeader},
		{"no signature", set("Signature", ""), sign.ErrMissingHeader},
		{"no signature-input", set("Signature-Input", ""), sign.ErrMissingHeader},
		{"signature of another label", replace("Signature", "sig", "gis"), sign.ErrNoMatch},
		{"less is covered", replace("Signature-Input", `"@query" `, ""), sign.ErrNoMatch},
		{"nothing is covered", set("Signature-Input", "sig1=()"), sign.ErrNoMatch},
		{"created", replace("Signature-Input", "created=1", "created=2"), sign.ErrNoMatch},
		{"no created", replace("Signature-Input", ";created=", ";expires="), sign.ErrNoMatch},
		{"another algorithm", replace("Signature-Input", `alg="`, `alg="x`), sign.ErrNoMatch},
		{"another key's name", replace("Signature-Input", `keyid="`, `keyid="x`), sign.ErrNoMatch},
		{"words for a signature", set("Signature", "@@"), sign.ErrBadHeader},
		{"a parameter of the wrong type, at which the library panics", replace("Signature-Input", `"webhook-id")`, `"webhook-id" "x";sf="y")`), sign.ErrBadHeader},
		{"likewise", replace("Signature-Input", `"webhook-id")`, `"webhook-id" "x";req=1)`), sign.ErrBadHeader},
	} {
		for _, key := range [][2]string{{secret, secret}, {private, public}} {
			r, body := arrived(t, "/a?token=x", key[0])
			row.change(r, &body)
			err := sign.VerifyHTTPMessageSignatures(r, body, time.Now(), time.Minute, key[1])
			if !errors.Is(err, row.want) {
				t.Errorf("%s, by %s: %v, want %v", row.why, key[1][:6], err, row.want)
			}
		}
	}
}

func TestHTTPMessageSignaturesGrowOld(t *testing.T) {
	t.Parallel()
	secret := sign.GenerateSecret()
	r, body := arrived(t, "/", secret)
	now := time.Now()
	for _, row := range []struct {
		at   time.Time
		want error
	}{
		{now, nil}, {now.Add(58 * time.Second), nil}, {now.Add(-58 * time.Second), nil},
		{now.Add(63 * time.Second), sign.ErrTooOld}, {now.Add(-63 * time.Second), sign.ErrTooNew},
	} {
		if err := sign.VerifyHTTPMessageSignatures(r, body, row.at, time.Minute, secret); !errors.Is(err, row.want) {
			t.Errorf("at %s: %v, want %v", row.at.Sub(now), err, row.want)
		}
	}
	if err := sign.VerifyHTTPMessageSignatures(r, body, now, time.Minute); err == nil {
		t.Error("held for no key at all")
	}
}

// Signature headers come from anybody: no bytes of them may end the process or hold.
func FuzzVerifyHTTPMessageSignatures(f *testing.F) {
	secret := sign.GenerateSecret()
	f.Add(`sig1=("@method");created=1`, "sig1=:AAAA:", "sha-256=:AAAA:")
	f.Add(`sig1=("@method";req=1);created=1`, "sig1=:AAAA:", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:")
	f.Add(`sig1=("x";sf=1 "y";key=2 "z";bs=?0);created="x";alg=1;keyid=2`, "sig1=1", "sha-256=?1")
	f.Fuzz(func(t *testing.T, input, signature, digest string) {
		r := httptest.NewRequest(http.MethodPost, "https://example.com/", nil)
		r.Header = http.Header{"Signature-Input": {input}, "Signature": {signature}, "Content-Digest": {digest}, "Webhook-Id": {"a"}, "Content-Type": {"b"}}
		if err := sign.VerifyHTTPMessageSignatures(r, nil, time.Now(), time.Minute, secret); err == nil {
			t.Errorf("%q %q %q hold", input, signature, digest)
		}
	})
}
