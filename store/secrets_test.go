package store_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// spellings are the ways in which a text could lie in Redis without being sealed.
func spellings(text string) []string {
	all := []string{text, hex.EncodeToString([]byte(text))}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 { // where the text begins among the groups of three bytes
			encoded := encoding.EncodeToString(append(bytes.Repeat([]byte{0}, shift), text...))
			all = append(all, encoded[(shift*8+5)/6:len(encoded)-1]) // without what its neighbours change
		}
	}
	return all
}

func TestSecretsAreNowhereInRedis(t *testing.T) {
	const inHeader, inSecret, inOlder, inQuery, inConfiguration = "k3y-of-the-header", "whsec_c2lnbmluZy1zZWNyZXQ", "whsec_b2xkZXItc2VjcmV0LW9sZA", "t0ken-of-the-query", "p4ssword-of-configuration"
	each(t, func(t *testing.T, h *house) {
		n := notification(t, "n1", "strict")
		n.URL = "https://erp.example.com/hook?token=" + inQuery + "&" + inQuery
		n.Headers = []dispatcher.Header{{Name: "X-API-Key", Value: inHeader}}
		n.Signing, n.Secrets = dispatcher.SigningStandardWebhooks, []dispatcher.SigningSecret{{Secret: inSecret}, {Secret: inOlder, Until: began}}
		n.Reference, n.Description = "a-reference-in-clear", strings.Repeat("long enough that the snapshot is packed ", 20)
		owed, _ := h.put(t, order("1"), status("created"), n)
		c := dispatcher.Configuration{
			AdapterID: "erp", Active: true, Document: parse(t, `{"password":"`+inConfiguration+`"}`), Notifications: []dispatcher.Notification{n},
		}
		if _, err := h.PutConfiguration(t.Context(), "acme", "web", c); err != nil {
			t.Fatal(err)
		}
		move := h.attempt(h.claimed(t, owed[0].Task()), retried)
		move.Attempt.URL, move.Attempt.HeaderNames = dispatcher.RedactURL(n.URL), []string{"X-Api-Key"}
		h.record(t, move)
		if _, found := h.holds(t, "a-reference-in-clear"); !found {
			t.Fatal("the search does not find what is in clear")
		}
		if _, found := h.holds(t, "token=******"); !found {
			t.Fatal("the search does not look into packed values")
		}
		for _, secret := range []string{inHeader, inSecret, inOlder, inQuery, inConfiguration} {
			for _, spelled := range spellings(secret) {
				if where, found := h.holds(t, spelled); found {
					t.Errorf("%q lies in %s as %q", secret, where, spelled)
				}
			}
		}
		// All of them are there, though: what was never stored proves nothing.
		got := h.claim(t, h.read(t, owed[0].ID).Task()).Notification
		stored, err := h.Configuration(t.Context(), "acme", "web", "erp")
		if err != nil || got.URL != n.URL || got.Headers[0].Value != inHeader || got.Secrets[0].Secret != inSecret || got.Secrets[1].Secret != inOlder ||
			string(stored.Document.JSON()) != `{"password":"`+inConfiguration+`"}` {
			t.Errorf("read back: %+v, %+v, %v", got, stored, err)
		}
	})
}

func TestConfigurations(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		full := dispatcher.Configuration{
			AdapterID: "wms", Active: true, Document: parse(t, `{"url":"https://a.example/?x=1&y=<2>","n":1.50}`),
			Notifications: []dispatcher.Notification{notification(t, "n1", "latest"), notification(t, "n2", "none")},
		}
		full.Notifications[0].Headers = []dispatcher.Header{{Name: "X-Key", Value: "secret"}}
		plain := dispatcher.Configuration{AdapterID: "erp", Document: parse(t, `{}`)}
		for i, c := range []dispatcher.Configuration{full, plain, full} {
			created, err := h.PutConfiguration(t.Context(), "acme", "web", c)
			if err != nil || created != (i < 2) {
				t.Errorf("put %d: created=%v, %v", i, created, err)
			}
		}
		check := func(got, want dispatcher.Configuration) {
			t.Helper()
			same := slices.EqualFunc(got.Notifications, want.Notifications, func(a, b dispatcher.Notification) bool {
				return a.ID == b.ID && a.SameContent(b)
			})
			if !same || got.AdapterID != want.AdapterID || got.Active != want.Active || !bytes.Equal(got.Document.JSON(), want.Document.JSON()) {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		}
		for _, want := range []dispatcher.Configuration{full, plain} {
			got, err := h.Configuration(t.Context(), "acme", "web", want.AdapterID)
			if err != nil {
				t.Fatal(err)
			}
			check(got, want)
		}
		all, err := h.Configurations(t.Context(), "acme", "web")
		if err != nil || len(all) != 2 {
			t.Fatalf("%d configurations, %v", len(all), err)
		}
		check(all[0], plain) // by adapter id
		check(all[1], full)
		for what, ask := range map[string][3]string{
			"another merchant's": {"other", "web", "erp"}, "another channel's": {"acme", "pos", "erp"}, "unknown": {"acme", "web", "crm"},
		} {
			if _, err := h.Configuration(t.Context(), ask[0], ask[1], ask[2]); !errors.Is(err, dispatcher.ErrNotFound) {
				t.Errorf("%s: %v; want ErrNotFound", what, err)
			}
			if err := h.DeleteConfiguration(t.Context(), ask[0], ask[1], ask[2]); !errors.Is(err, dispatcher.ErrNotFound) {
				t.Errorf("delete %s: %v; want ErrNotFound", what, err)
			}
		}
		if err := h.DeleteConfiguration(t.Context(), "acme", "web", "erp"); err != nil {
			t.Fatal(err)
		}
		if all, err := h.Configurations(t.Context(), "acme", "web"); err != nil || len(all) != 1 {
			t.Errorf("after one was deleted: %d, %v", len(all), err)
		}
	})
}

// A sealed text that somebody with access to Redis puts in another place is refused there.
func TestSealedTextsDoNotMove(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.one(t, order("1"), "strict")
		h.one(t, order("2"), "strict")
		from := "td{s" + shardOf("1") + "}:n:acme:1"
		record := dump(t, h.plain)[from].hash["n1"]
		to := "td{s" + shardOf("2") + "}:n:acme:2"
		if err := h.plain.HSet(t.Context(), to, "n1", record).Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Load(t.Context(), order("2")); err == nil || errors.Is(err, dispatcher.ErrNotFound) {
			t.Errorf("the notification of another order: %v", err)
		}
		h.load(t, order("1"))
	})
}

func TestSealer(t *testing.T) {
	t.Parallel()
	oldKey, newKey := store.NewSealingKey(), store.NewSealingKey()
	if bytes.Equal(oldKey, newKey) {
		t.Fatal("two fresh keys are the same")
	}
	seal := func(keys ...[]byte) *store.Sealer {
		s, err := store.NewSealer(keys[0], keys[1:]...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before, rotated, after := seal(oldKey), seal(newKey, oldKey), seal(newKey)
	old := before.Seal([]byte("secret"), "here")
	fresh := rotated.Seal([]byte("secret"), "here")
	changed := bytes.Clone(old)
	changed[len(changed)-1] ^= 1
	otherVersion := bytes.Clone(old)
	otherVersion[0]++
	for name, c := range map[string]struct {
		by     *store.Sealer
		sealed []byte
		place  string
		ok     bool
	}{
		"as sealed":                        {before, old, "here", true},
		"old key reads after the rotation": {rotated, old, "here", true},
		"new key writes":                   {after, fresh, "here", true},
		"old key alone cannot read new":    {before, fresh, "here", false},
		"unknown key":                      {after, old, "here", false},
		"another place":                    {before, old, "there", false},
		"no place":                         {before, old, "", false},
		"one bit changed":                  {before, changed, "here", false},
		"cut":                              {before, old[:len(old)-1], "here", false},
		"head only":                        {before, old[:5], "here", false},
		"shorter than its head":            {before, old[:3], "here", false},
		"empty":                            {before, nil, "here", false},
		"not sealed at all":                {before, []byte("secret"), "here", false},
		"another version":                  {before, otherVersion, "here", false},
	} {
		plain, err := c.by.Open(c.sealed, c.place)
		if (err == nil) != c.ok || c.ok && string(plain) != "secret" {
			t.Errorf("%s: %q, %v", name, plain, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells the secret: %v", name, err)
		}
	}
	if bytes.Equal(old, before.Seal([]byte("secret"), "here")) {
		t.Error("sealed twice it is the same: nonces repeat")
	}
	for _, size := range []int{0, 16, 31, 33} {
		if _, err := store.NewSealer(make([]byte, size)); err == nil {
			t.Errorf("a key of %d bytes is taken", size)
		}
		if _, err := store.NewSealer(newKey, make([]byte, size)); err == nil {
			t.Errorf("an older key of %d bytes is taken", size)
		}
	}
}
