package sign_test

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher/sign"
)

const tolerance = 5 * time.Minute

// sealed gives the published message as a receiver gets it.
func sealed(t testing.TB) (header http.Header, body []byte, at time.Time, secret string) {
	t.Helper()
	v := readVectors(t).SignV1[0]
	header = http.Header{}
	header.Set("webhook-id", v.ID)
	header.Set("webhook-timestamp", strconv.FormatInt(v.Timestamp, 10))
	header.Set("webhook-signature", v.Signature)
	return header, []byte(v.Body), time.Unix(v.Timestamp, 0), v.Secret
}

func TestVerify(t *testing.T) {
	t.Parallel()
	_, _, at, secret := sealed(t)
	published := map[string]string{}
	for _, v := range readVectors(t).MustReject {
		published[v.Case] = v.Header
	}
	set := func(name, value string) func(http.Header) { return func(h http.Header) { h.Set(name, value) } }
	del := func(name string) func(http.Header) { return func(h http.Header) { h.Del(name) } }
	surround := func(h http.Header) {
		wrong := "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
		h.Set("webhook-signature", wrong+" v2,xyz "+h.Get("webhook-signature")+" "+wrong)
	}
	respell := func(h http.Header) { // the last character's low bits are padding
		h.Set("webhook-signature", strings.TrimSuffix(h.Get("webhook-signature"), "E=")+"F=")
	}
	for _, row := range []struct {
		why     string
		change  func(http.Header)
		now     time.Time
		secrets []string
		want    error // nil: the seal holds
	}{
		{why: "as published", now: at},
		{why: "published must_accept: one right entry among others", change: surround, now: at},
		{why: "sealed with the old secret while both are known", now: at, secrets: []string{sign.GenerateSecret(), secret}},
		{why: "as old as is allowed", now: at.Add(tolerance)},
		{why: "as new as is allowed", now: at.Add(-tolerance)},
		{why: "published must_reject: too old", now: at.Add(tolerance + time.Second), want: sign.ErrTooOld},
		{why: "published must_reject: too new", now: at.Add(-tolerance - time.Second), want: sign.ErrTooNew},
		{why: "published must_reject: wrong signature", change: set("webhook-signature", published["wrong signature"]), now: at, want: sign.ErrNoMatch},
		{why: "published must_reject: nothing after v1,", change: set("webhook-signature", published["partial"]), now: at, want: sign.ErrNoMatch},
		{why: "published must_reject: no id", change: del("webhook-id"), now: at, want: sign.ErrMissingHeader},
		{why: "published must_reject: no timestamp", change: del("webhook-timestamp"), now: at, want: sign.ErrMissingHeader},
		{why: "published must_reject: no signature", change: del("webhook-signature"), now: at, want: sign.ErrMissingHeader},
		{why: "the id is sealed too", change: set("webhook-id", "msg_other"), now: at, want: sign.ErrNoMatch},
		{why: "the timestamp is sealed too", change: set("webhook-timestamp", "1614265331"), now: at, want: sign.ErrNoMatch},
		{why: "a second spelling of the right bytes", change: respell, now: at, want: sign.ErrNoMatch},
		{why: "another's secret", now: at, secrets: []string{sign.GenerateSecret()}, want: sign.ErrNoMatch},
		{why: "a date is not a timestamp", change: set("webhook-timestamp", "2021-02-25"), now: at, want: sign.ErrBadHeader},
		{why: "a sign would be a second spelling", change: set("webhook-timestamp", "+1614265330"), now: at, want: sign.ErrBadHeader},
		{why: "beyond any clock", change: set("webhook-timestamp", "9223372036854775807"), now: at, want: sign.ErrTooNew},
		{why: "beyond the number", change: set("webhook-timestamp", "9223372036854775808"), now: at, want: sign.ErrBadHeader},
	} {
		header, body, _, secret := sealed(t)
		if row.change != nil {
			row.change(header)
		}
		if row.secrets == nil {
			row.secrets = []string{secret}
		}
		if err := sign.VerifyStandardWebhooks(header, body, row.now, tolerance, row.secrets...); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.why, err, row.want)
		}
	}
}

func TestVerifyCoversEveryByteOfTheBody(t *testing.T) {
	t.Parallel()
	header, body, at, secret := sealed(t)
	for i := range body {
		changed := append([]byte(nil), body...)
		changed[i] ^= 1
		if err := sign.VerifyStandardWebhooks(header, changed, at, tolerance, secret); !errors.Is(err, sign.ErrNoMatch) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
}

func TestVerifyNeedsAUsableSecret(t *testing.T) {
	t.Parallel()
	header, body, at, _ := sealed(t)
	for _, secrets := range [][]string{nil, {""}, {"whsec_"}} {
		if err := sign.VerifyStandardWebhooks(header, body, at, tolerance, secrets...); err == nil {
			t.Errorf("secrets %q: the seal held", secrets)
		}
	}
}

func TestVerifyErrorsHoldNeitherSecretNorRightSignature(t *testing.T) {
	t.Parallel()
	header, body, at, secret := sealed(t)
	right := header.Get("webhook-signature")
	header.Set("webhook-signature", "v1,AAAA")
	err := sign.VerifyStandardWebhooks(header, body, at, tolerance, secret)
	if err == nil {
		t.Fatal("a wrong signature held")
	}
	for _, leak := range []string{strings.TrimPrefix(secret, "whsec_"), strings.TrimPrefix(right, "v1,")} {
		if strings.Contains(err.Error(), leak) {
			t.Errorf("%q gives away %q", err, leak)
		}
	}
}

// FuzzVerify: no headers but the right ones are accepted, whatever else stands in the list, and a list that holds the
// right entry is always accepted.
func FuzzVerify(f *testing.F) {
	header, body, at, secret := sealed(f)
	right := header.Get("webhook-signature")
	for _, seed := range []string{"", "v1,", "v1,AAAA", "v1", ",", " ", "v1a,AAAA v1,", right, right[:20], strings.Repeat("v1,A= ", 50)} {
		f.Add(header.Get("webhook-timestamp"), seed)
	}
	f.Add("-1", right)
	f.Add("", right)
	f.Fuzz(func(t *testing.T, timestamp, list string) {
		got := http.Header{}
		got.Set("webhook-id", header.Get("webhook-id"))
		got.Set("webhook-timestamp", timestamp)
		got.Set("webhook-signature", list)
		held := sign.VerifyStandardWebhooks(got, body, at, tolerance, secret) == nil
		trueSeal := timestamp == header.Get("webhook-timestamp") && strings.Contains(list, right)
		if held && !trueSeal {
			t.Errorf("held: timestamp %q, list %q", timestamp, list)
		}
		got.Set("webhook-timestamp", header.Get("webhook-timestamp"))
		got.Set("webhook-signature", list+" "+right)
		if err := sign.VerifyStandardWebhooks(got, body, at, tolerance, secret); err != nil {
			t.Errorf("list %q with the right entry at its end: %v", list, err)
		}
	})
}
