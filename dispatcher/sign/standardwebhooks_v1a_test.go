package sign_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher/sign"
)

// sealedV1a gives the published v1a message as a receiver gets it.
func sealedV1a(t testing.TB) (header http.Header, body []byte, at time.Time, private, public string) {
	t.Helper()
	v := readVectors(t).SignV1a[0]
	header = http.Header{}
	header.Set("webhook-id", v.ID)
	header.Set("webhook-timestamp", strconv.FormatInt(v.Timestamp, 10))
	header.Set("webhook-signature", v.Signature)
	return header, []byte(v.Body), time.Unix(v.Timestamp, 0), v.SigningKey, v.VerifyKey
}

func TestSignV1aMakesThePublishedSignature(t *testing.T) {
	t.Parallel()
	want, body, at, private, public := sealedV1a(t)
	signer, err := sign.NewStandardWebhooksV1a(private)
	if err != nil {
		t.Fatal(err)
	}
	got, err := signer.Sign(sign.Message{ID: want.Get("webhook-id"), Timestamp: at, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	for name := range want {
		if got.Get(name) != want.Get(name) {
			t.Errorf("%s = %q, want %q", name, got.Get(name), want.Get(name))
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d headers, want %d: %v", len(got), len(want), got)
	}
	if derived, err := sign.PublicKeyV1a(private); derived != public || err != nil {
		t.Errorf("the public key is %q, want %q: %v", derived, public, err)
	}
}

func mustSignV1a(t testing.TB, m sign.Message, keys ...string) string {
	t.Helper()
	signer, err := sign.NewStandardWebhooksV1a(keys...)
	if err != nil {
		t.Fatal(err)
	}
	header, err := signer.Sign(m)
	if err != nil {
		t.Fatal(err)
	}
	return header.Get("webhook-signature")
}

func TestSignV1aListsOneEntryPerKeyInTheOrderGiven(t *testing.T) {
	t.Parallel()
	newest, newestPublic := sign.GenerateKeyV1a()
	old, oldPublic := sign.GenerateKeyV1a()
	at := time.Unix(1614265330, 0)
	message := sign.Message{ID: "msg_1", Timestamp: at, Body: []byte("{}")}
	list := mustSignV1a(t, message, newest, old)
	if want := mustSignV1a(t, message, newest) + " " + mustSignV1a(t, message, old); list != want {
		t.Errorf("signatures %q, want the newest first: %q", list, want)
	}
	header := http.Header{"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {"1614265330"}, "Webhook-Signature": {list}}
	for _, public := range []string{newestPublic, oldPublic} {
		if err := sign.VerifyStandardWebhooks(header, message.Body, at, tolerance, public); err != nil {
			t.Errorf("a receiver that knows one of the keys: %v", err)
		}
	}
}

func TestSignV1aRefusesWhatV1Refuses(t *testing.T) {
	t.Parallel()
	key, _ := sign.GenerateKeyV1a()
	signer, err := sign.NewStandardWebhooksV1a(key)
	if err != nil {
		t.Fatal(err)
	}
	for why, m := range map[string]sign.Message{
		"a full stop in the id moves the border between id and timestamp": {ID: "a.b", Timestamp: time.Unix(1, 0)},
		"timestamp forgotten": {ID: "msg"},
	} {
		if header, err := signer.Sign(m); err == nil {
			t.Errorf("%s: sealed as %v", why, header)
		}
	}
}

func TestCheckKeyV1a(t *testing.T) {
	t.Parallel()
	good, public := sign.GenerateKeyV1a()
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(good, "whsk_"))
	if err != nil {
		t.Fatal(err)
	}
	other, _ := sign.GenerateKeyV1a()
	otherRaw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(other, "whsk_"))
	if err != nil {
		t.Fatal(err)
	}
	key := func(b ...byte) string { return "whsk_" + base64.StdEncoding.EncodeToString(b) }
	_, _, _, published, _ := sealedV1a(t)
	for _, row := range []struct {
		why, key string
		good     bool
	}{
		{"newly made", good, true},
		{"published", published, true},
		{"empty", "", false},
		{"bare prefix", "whsk_", false},
		{"public key", public, false},
		{"secret of v1", sign.GenerateSecret(), false},
		{"seed alone, as other tools write it", key(raw[:32]...), false},
		{"one byte long", key(append(raw[:64:64], 0)...), false},
		{"public half of another seed", key(append(raw[:32:32], otherRaw[32:]...)...), false},
		{"line break, which Go's decoder skips", good[:20] + "\n" + good[20:], false},
		{"URL alphabet", "whsk_" + strings.Repeat("-_", 43) + "==", false},
	} {
		err := sign.CheckKeyV1a(row.key)
		if (err == nil) != row.good {
			t.Errorf("%s: %v", row.why, err)
		}
		if _, tail, _ := strings.Cut(row.key, "_"); err != nil && tail != "" && strings.Contains(err.Error(), tail) {
			t.Errorf("%s: the error holds the key: %v", row.why, err)
		}
		if _, err := sign.NewStandardWebhooksV1a(good, row.key); (err == nil) != row.good {
			t.Errorf("%s: NewStandardWebhooksV1a does not agree: %v", row.why, err)
		}
		if _, err := sign.PublicKeyV1a(row.key); (err == nil) != row.good {
			t.Errorf("%s: PublicKeyV1a does not agree: %v", row.why, err)
		}
	}
	if _, err := sign.NewStandardWebhooksV1a(); err == nil {
		t.Error("a signer without a key was made")
	}
	if again, _ := sign.GenerateKeyV1a(); again == good {
		t.Error("the same key was made twice")
	}
}

func TestV1aSignerNeverPrintsItsKeys(t *testing.T) {
	t.Parallel()
	key, _ := sign.GenerateKeyV1a()
	signer, err := sign.NewStandardWebhooksV1a(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(verb, struct{ Signer sign.Signer }{signer}); !strings.Contains(got, "keys not shown") {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

func TestVerifyV1a(t *testing.T) {
	t.Parallel()
	_, _, at, private, public := sealedV1a(t)
	v1, _, _, secret := sealed(t) // the same message, id and timestamp
	_, stranger := sign.GenerateKeyV1a()
	set := func(value string) func(http.Header) { return func(h http.Header) { h.Set("webhook-signature", value) } }
	both := func(h http.Header) {
		h.Set("webhook-signature", v1.Get("webhook-signature")+" "+h.Get("webhook-signature"))
	}
	rename := func(h http.Header) {
		h.Set("webhook-signature", strings.Replace(h.Get("webhook-signature"), "v1a,", "v1,", 1))
	}
	published := map[string]string{}
	for _, v := range readVectors(t).MustReject {
		published[v.Case] = v.Header
	}
	for _, row := range []struct {
		why    string
		change func(http.Header)
		now    time.Time
		keys   []string
		want   error  // nil: the seal holds
		says   string // what the error must tell
	}{
		{why: "as published", now: at, keys: []string{public}},
		{why: "mixed keys, v1a entry", now: at, keys: []string{sign.GenerateSecret(), stranger, public}},
		{why: "mixed keys, v1 entry", change: set(v1.Get("webhook-signature")), now: at, keys: []string{stranger, secret}},
		{why: "mixed entries, public key alone", change: both, now: at, keys: []string{public}},
		{why: "mixed entries, secret alone", change: both, now: at, keys: []string{secret}},
		{why: "another's key", now: at, keys: []string{stranger}, want: sign.ErrNoMatch, says: "tried 1 v1a entries with 1 public keys"},
		{why: "sealed by v1, expected by v1a", change: set(v1.Get("webhook-signature")), now: at, keys: []string{public}, want: sign.ErrNoMatch, says: "no v1a entry for 1 public keys"},
		{why: "sealed by v1a, expected by v1", now: at, keys: []string{secret}, want: sign.ErrNoMatch, says: "no v1 entry for 1 secrets"},
		{why: "a v1a signature is nothing to v1", change: rename, now: at, keys: []string{public, secret}, want: sign.ErrNoMatch, says: "no v1 entry that can be read, of 1; the list holds no v1a entry"},
		{why: "published must_reject: wrong signature", change: set(published["wrong signature"]), now: at, keys: []string{public}, want: sign.ErrNoMatch},
		{why: "published must_reject: partial, in v1a", change: set("v1a,"), now: at, keys: []string{public}, want: sign.ErrNoMatch, says: "no v1a entry that can be read, of 1"},
		{why: "published must_reject: too old", now: at.Add(tolerance + time.Second), keys: []string{public}, want: sign.ErrTooOld},
		{why: "published must_reject: too new", now: at.Add(-tolerance - time.Second), keys: []string{public}, want: sign.ErrTooNew},
		{why: "published must_reject: no id", change: func(h http.Header) { h.Del("webhook-id") }, now: at, keys: []string{public}, want: sign.ErrMissingHeader, says: "webhook-id"},
		{why: "the id is sealed too", change: func(h http.Header) { h.Set("webhook-id", "msg_other") }, now: at, keys: []string{public}, want: sign.ErrNoMatch},
		{why: "the timestamp is sealed too", change: func(h http.Header) { h.Set("webhook-timestamp", "1614265331") }, now: at, keys: []string{public}, want: sign.ErrNoMatch},
	} {
		header, body, _, _, _ := sealedV1a(t)
		if row.change != nil {
			row.change(header)
		}
		err := sign.VerifyStandardWebhooks(header, body, row.now, tolerance, row.keys...)
		if !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.why, err, row.want)
		}
		if err != nil && !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %q does not say %q", row.why, err, row.says)
		}
	}
	header, body, _, _, _ := sealedV1a(t)
	for why, keys := range map[string][]string{
		"none":                        nil,
		"empty":                       {""},
		"bare whpk_":                  {"whpk_"},
		"the sender's private key":    {private},
		"a bad one beside a good one": {public, "whpk_AAAA"},
		"33 bytes":                    {"whpk_" + base64.StdEncoding.EncodeToString(make([]byte, 33))},
	} {
		err := sign.VerifyStandardWebhooks(header, body, at, tolerance, keys...)
		if err == nil {
			t.Errorf("%s: the seal held", why)
		} else if strings.Contains(err.Error(), strings.TrimPrefix(private, "whsk_")) {
			t.Errorf("%s: the error holds the key: %v", why, err)
		}
	}
}

func TestVerifyV1aCoversEveryByteOfTheBody(t *testing.T) {
	t.Parallel()
	header, body, at, _, public := sealedV1a(t)
	for i := range body {
		changed := append([]byte(nil), body...)
		changed[i] ^= 1
		if err := sign.VerifyStandardWebhooks(header, changed, at, tolerance, public); !errors.Is(err, sign.ErrNoMatch) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
}

// FuzzVerifyV1a: no list but one with the right entry is accepted, and none is refused that has it. Keys are fuzzed
// along: whatever they are, they make no stranger's seal hold.
func FuzzVerifyV1a(f *testing.F) {
	header, body, at, _, public := sealedV1a(f)
	right := header.Get("webhook-signature")
	v1, _, _, _ := sealed(f)
	_, stranger := sign.GenerateKeyV1a()
	for _, seed := range []string{"", "v1a,", "v1a", "v1a,AAAA", right, right[:40], v1.Get("webhook-signature"), "v1," + right[4:], "v1a,A= v1," + right} {
		f.Add(seed, stranger)
		f.Add(seed, "whsec_")
		f.Add(seed, public)
	}
	f.Fuzz(func(t *testing.T, list, key string) {
		got := header.Clone()
		got.Set("webhook-signature", list)
		held := sign.VerifyStandardWebhooks(got, body, at, tolerance, public) == nil
		if held && !strings.Contains(list, right) {
			t.Errorf("held: list %q", list)
		}
		got.Set("webhook-signature", list+" "+right)
		if err := sign.VerifyStandardWebhooks(got, body, at, tolerance, public); err != nil {
			t.Errorf("list %q with the right entry at its end: %v", list, err)
		}
		if sign.VerifyStandardWebhooks(header, body, at, tolerance, key) == nil && key != public {
			// ed25519 has public keys of small order, under which signatures can be forged, but no published one fits them.
			t.Errorf("held by the key %q", key)
		}
		if parsed, err := sign.ParsePublicKeyV1a(key); err == nil && len(parsed) != ed25519.PublicKeySize {
			t.Errorf("key %q parsed to %d bytes", key, len(parsed))
		}
	})
}
