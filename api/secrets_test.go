package api_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/sign"
)

const (
	unsealed  = `{"url":"https://h.example/","scope":""}`
	generated = `{"url":"https://h.example/","scope":"","signing":{"scheme":"standard-webhooks"}}`
)

// signingOf is the member signing of an answer.
func (a reply) signing(t testing.TB) (s struct{ Scheme, Secret, PublicKey string }) {
	t.Helper()
	var v struct {
		Signing *struct{ Scheme, Secret, PublicKey string }
	}
	if a.into(t, &v); v.Signing != nil {
		s = *v.Signing
	}
	return s
}

// only is the one notification of an order as it is stored.
func (d door) only(t testing.TB, id string) dispatcher.Notification {
	t.Helper()
	all := d.load(t, id).Notifications
	if len(all) != 1 {
		t.Fatalf("%d notifications, want one", len(all))
	}
	return all[0]
}

func TestGeneratedSecretIsToldOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		const list = orders + "1/notifications"
		first := d.must(t, 201, http.MethodPost, list, generated, "X-Channel: web")
		secret := first.signing(t).Secret
		if err := sign.CheckSecret(secret); err != nil || d.only(t, "1").CurrentSecret().Reveal() != secret {
			t.Fatalf("told %s, %v", first.body, err)
		}
		one := list + "/" + d.only(t, "1").ID
		silent := func(step string, a reply) {
			t.Helper()
			if a.signing(t).Secret == secret || strings.Contains(a.body, secret) {
				t.Errorf("%s tells it again: %s", step, a.body)
			}
			if got := d.only(t, "1").CurrentSecret().Reveal(); got != secret {
				t.Errorf("%s: another secret is registered", step)
			}
		}
		silent("GET", d.must(t, 200, http.MethodGet, one, ""))
		silent("the list", d.must(t, 200, http.MethodGet, list, ""))
		silent("POST again", d.must(t, 200, http.MethodPost, list, generated))
		silent("an order with it", d.must(t, 201, http.MethodPut, orders+"1", `{"notifications":[`+generated+`]}`, "X-Channel: web"))
		silent("PUT without a secret", d.must(t, 200, http.MethodPut, one, generated))
		silent("written back", d.must(t, 200, http.MethodPut, one, d.must(t, 200, http.MethodGet, one, "").body))
		// Another scheme, and back: then it is another secret, told once.
		d.must(t, 200, http.MethodPut, one, unsealed)
		again := d.must(t, 200, http.MethodPut, one, generated).signing(t).Secret
		if sign.CheckSecret(again) != nil || again == secret || d.only(t, "1").CurrentSecret().Reveal() != again {
			t.Errorf("asked for anew: %q", again)
		}
	})
}

func TestSecretsGeneratedWithAnOrder(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		type told struct {
			Secrets []struct{ NotificationID, Scheme, Secret string }
		}
		named := strings.Replace(generated, `{`, `{"adapterId":"erp","reference":"r",`, 1)
		var answer told
		first := d.must(t, 201, http.MethodPut, orders+"1", `{"a":1,"notifications":[`+named+`,`+named+`,`+unsealed+`]}`, "X-Channel: web")
		first.into(t, &answer)
		n := d.load(t, "1").Notifications[0]
		if len(answer.Secrets) != 1 || answer.Secrets[0].NotificationID != n.ID || answer.Secrets[0].Secret != n.CurrentSecret().Reveal() ||
			answer.Secrets[0].Scheme != "standard-webhooks" || len(d.load(t, "1").Notifications) != 2 {
			t.Fatalf("%s", first.body)
		}
		// Replaced by what says nothing of the secret: it stays, and nothing is told.
		again := d.must(t, 200, http.MethodPut, orders+"1", `{"a":2,"notifications":[`+strings.Replace(named, "h.example", "new.example", 1)+`]}`)
		if after := d.load(t, "1").Notifications[0]; strings.Contains(again.body, "secrets") || after.CurrentSecret() != n.CurrentSecret() || after.URL != "https://new.example/" {
			t.Errorf("%s, calls %s", again.body, after.URL)
		}
		// The same place asks for a seal for the first time: told by PATCH, too.
		patch := d.must(t, 200, http.MethodPatch, orders+"1", `{"notifications":[{"url":"https://h.example/patched","scope":"","signing":{"scheme":"standard-webhooks"}}]}`)
		answer = told{}
		if patch.into(t, &answer); len(answer.Secrets) != 1 {
			t.Errorf("%s", patch.body)
		}
	})
}

// Every order would have another secret that nobody is shown; the merchant's own key is nobody's secret.
func TestConfigurationsNeedTheirSecret(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		const at = v0 + "/configurations/erp"
		a := d.must(t, 422, http.MethodPut, at, `{"notifications":[`+generated+`]}`, "X-Channel: web")
		if got := strings.Join(a.pointers(t), " "); got != "/notifications/0/signing/secret" {
			t.Errorf("faults at %s", got)
		}
		var keyed struct {
			Notifications []struct{ Signing map[string]string }
		}
		put := d.must(t, 201, http.MethodPut, at, `{"notifications":[`+strings.Replace(generated, "standard-webhooks", "standard-webhooks-v1a", 1)+`]}`, "X-Channel: web")
		put.into(t, &keyed)
		if _, err := sign.ParsePublicKeyV1a(keyed.Notifications[0].Signing["publicKey"]); err != nil || len(keyed.Notifications[0].Signing) != 2 {
			t.Errorf("%s: %v", put.body, err)
		}
	})
}

func TestPublicKeysAreTold(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		own := d.must(t, 201, http.MethodPost, orders+"1/notifications", strings.Replace(generated, "webhooks", "webhooks-v1a", 1), "X-Channel: web").signing(t)
		private, public := sign.GenerateKeyV1a()
		given := d.must(t, 201, http.MethodPost, orders+"2/notifications",
			`{"url":"https://h.example/","scope":"","signing":{"scheme":"standard-webhooks-v1a","secret":"`+private+`"}}`, "X-Channel: web").signing(t)
		if own.Secret != "" || given.Secret != dispatcher.Redacted || given.PublicKey != public || own.PublicKey == public {
			t.Errorf("the merchant's %+v, a given one %+v", own, given)
		}
		var keys struct {
			Keys []sign.JWK
			PEM  map[string]string
		}
		d.must(t, 200, http.MethodGet, v0+"/signing-keys", "").into(t, &keys)
		want, err := sign.ParsePublicKeyV1a(own.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		jwk, err := sign.PublicJWK(want, "")
		if err != nil || len(keys.Keys) != 2 || keys.Keys[0].Kty != "RSA" || keys.Keys[1] != jwk || len(keys.PEM[jwk.Kid]) == 0 {
			t.Errorf("keys %+v, want %+v among them: %v", keys, jwk, err)
		}
	})
}

func TestHandshakeIsReadBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		const one = orders + "1/notifications/n1"
		d.must(t, 201, http.MethodPost, orders+"1/notifications", `{"id":"n1","url":"https://h.example/","scope":"","handshake":true}`, "X-Channel: web")
		if err := d.store.KeepConsent(t.Context(), dispatcher.OrderRef{Merchant: "acme", OrderID: "1"}, d.only(t, "1"), dispatcher.Consent{At: time.Now(), To: "x"}); err != nil {
			t.Fatal(err)
		}
		read := d.must(t, 200, http.MethodGet, one, "").body
		if !strings.Contains(read, `"handshake":true`) || !strings.Contains(read, `"consented":"`) {
			t.Errorf("%s", read)
		}
		d.must(t, 200, http.MethodPut, one, strings.Replace(read, `"10s"`, `"11s"`, 1))
		if d.only(t, "1").Consent.To != "x" {
			t.Error("written back, the consent is forgotten")
		}
		if a := d.must(t, 200, http.MethodPut, one, strings.Replace(read, "h.example", "new.example", 1)); d.only(t, "1").Consent.To != "" || strings.Contains(a.body, "consented") {
			t.Errorf("another URL has the consent of the first: %s", a.body)
		}
	})
}

type rotated struct {
	ID            string
	Signing       struct{ Scheme, Secret, PublicKey string }
	PreviousUntil time.Time
}

func TestRotate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		first := d.must(t, 201, http.MethodPost, orders+"1/notifications", generated, "X-Channel: web").signing(t).Secret
		rotate := orders + "1/notifications/" + d.only(t, "1").ID + "/rotate-secret"
		var r rotated
		began := time.Now()
		d.must(t, 200, http.MethodPost, rotate, "").into(t, &r)
		n := d.only(t, "1")
		if sign.CheckSecret(r.Signing.Secret) != nil || n.CurrentSecret().Reveal() != r.Signing.Secret || r.ID != n.ID ||
			len(n.SecretsAt(r.PreviousUntil.Add(-1))) != 2 || len(n.SecretsAt(r.PreviousUntil)) != 1 ||
			r.PreviousUntil.Before(began.Add(24*time.Hour-time.Second)) || r.PreviousUntil.After(time.Now().Add(24*time.Hour)) {
			t.Fatalf("%+v, %d secrets", r, len(n.Secrets))
		}
		// A given one is not told.
		other := sign.GenerateSecret()
		if a := d.must(t, 200, http.MethodPost, rotate, `{"secret":"`+other+`","overlap":"0s"}`); strings.Contains(a.body, other) || a.signing(t).Secret != "" {
			t.Errorf("told: %s", a.body)
		}
		if n = d.only(t, "1"); n.CurrentSecret().Reveal() != other || len(n.SecretsAt(time.Now())) != 2 { // other and first
			t.Errorf("%d sign", len(n.SecretsAt(time.Now())))
		}
		// What was registered first, sent again as it was, does not undo the rotation and registers nothing.
		d.must(t, 200, http.MethodPost, orders+"1/notifications", strings.Replace(generated, `"}}`, `","secret":"`+first+`"}}`, 1))
		if n = d.only(t, "1"); n.CurrentSecret().Reveal() != other {
			t.Error("a registration sent again brought an older secret back")
		}
		for body, pointer := range map[string]string{
			`{"secret":"` + other + `"}`: "/secret", `{"secret":"whsec_short"}`: "/secret", `{"secret":"******"}`: "/secret",
			`{"overlap":"169h"}`: "/overlap", `{"overlap":"-1s"}`: "/overlap", `{"overlap":1}`: "/overlap", `{"x":1}`: "/x",
			`{"secret":"x","overlap":"1000h"}`: "/overlap /secret",
		} {
			a := d.must(t, 422, http.MethodPost, rotate, body)
			if got := strings.Join(a.pointers(t), " "); got != pointer || strings.Contains(a.body, other) {
				t.Errorf("%s: %s", body, a.body)
			}
		}
	})
}

func TestRotateV1aTellsThePublicHalf(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		private, before := sign.GenerateKeyV1a()
		d.must(t, 201, http.MethodPost, orders+"1/notifications",
			`{"id":"n1","url":"https://h.example/","scope":"","signing":{"scheme":"standard-webhooks-v1a","secret":"`+private+`"}}`, "X-Channel: web")
		var r rotated
		a := d.must(t, 200, http.MethodPost, orders+"1/notifications/n1/rotate-secret", `{"overlap":"1h"}`)
		a.into(t, &r)
		public, err := sign.PublicKeyV1a(d.only(t, "1").CurrentSecret().Reveal())
		if err != nil || r.Signing.PublicKey != public || public == before || strings.Contains(a.body, "whsk_") {
			t.Errorf("%s, want %s: %v", a.body, public, err)
		}
	})
}

func TestNotRotatable(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		for id, members := range map[string]string{
			"none": `"signing":{"scheme":"none"}`, "merchant": `"signing":{"scheme":"standard-webhooks-v1a"}`,
			"fatpay": `"format":"fatpay","options":{"partnerId":"p1"}`,
		} {
			d.must(t, 201, http.MethodPost, orders+"1/notifications", `{"id":"`+id+`","url":"https://h.example/","scope":"",`+members+`}`, "X-Channel: web")
			if p := d.must(t, 409, http.MethodPost, orders+"1/notifications/"+id+"/rotate-secret", "").problem(t); p.Code != "not_rotatable" {
				t.Errorf("%s: %s", id, p.Code)
			}
		}
	})
}

// An answer that was lost (its process died before it was kept) comes again: the same secret, rotated once.
func TestLostAnswersAreToldAgain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		const key = "Idempotency-Key: k"
		list := orders + "1/notifications"
		post := func() reply { return d.call(t, http.MethodPost, list, generated, "X-Channel: web", key) }
		first := post()
		d.forgetAnswers(t)
		if again := post(); again.status != 200 || again.signing(t).Secret != first.signing(t).Secret {
			t.Errorf("registered: %s, then %s", first.body, again.body)
		}
		rotate := func() (r rotated) {
			d.must(t, 200, http.MethodPost, list+"/"+d.only(t, "1").ID+"/rotate-secret", "", key).into(t, &r)
			return r
		}
		done := rotate()
		if replayed := rotate(); replayed != done {
			t.Errorf("replayed %+v, want %+v", replayed, done)
		}
		d.forgetAnswers(t)
		if again := rotate(); again != done || len(d.only(t, "1").Secrets) != 2 {
			t.Errorf("again %+v, want %+v", again, done)
		}
		d.forgetAnswers(t)
		if again := post(); again.status != 200 || again.signing(t).Secret != dispatcher.Redacted {
			t.Errorf("after a rotation: %s", again.body) // what it generated signs no more first
		}
	})
}

func TestConcurrentRotations(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		d.must(t, 201, http.MethodPost, orders+"1/notifications", generated, "X-Channel: web")
		rotate := orders + "1/notifications/" + d.only(t, "1").ID + "/rotate-secret"
		answers := make([]reply, 8)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() { answers[i] = d.call(t, http.MethodPost, rotate, "") })
		}
		wg.Wait()
		n, done := d.only(t, "1"), 0
		for _, a := range answers {
			switch {
			case a.status == 200 && n.KnowsSecret(dispatcher.Secret(a.signing(t).Secret)):
				done++
			case a.status == 409 && a.problem(t).Code == "too_many_secrets":
			default:
				t.Errorf("%d %s", a.status, a.body)
			}
		}
		if done != dispatcher.MaxSigningSecrets-1 || len(n.Secrets) != dispatcher.MaxSigningSecrets {
			t.Errorf("%d rotated, %d are kept", done, len(n.Secrets))
		}
	})
}
