package sign_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher/sign"
)

// vectors are the published ones; the file says where each is from.
type vectors struct {
	SignV1 []struct {
		Secret, ID, Body, Signature string
		Timestamp                   int64
	} `json:"sign_v1"`
	SignV1a []struct {
		SigningKey          string `json:"signing_key"`
		VerifyKey           string `json:"verify_key"`
		ID, Body, Signature string
		Timestamp           int64
	} `json:"sign_v1a"`
	MustReject []struct{ Case, Header string } `json:"must_reject"`
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	raw, err := os.ReadFile("testdata/standard-webhooks.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.SignV1) == 0 || len(v.SignV1a) == 0 || len(v.MustReject) == 0 {
		t.Fatal("the vectors are empty")
	}
	return v
}

func TestSignMakesThePublishedSignatures(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t).SignV1 {
		signer, err := sign.NewStandardWebhooks(v.Secret)
		if err != nil {
			t.Fatal(err)
		}
		header, err := signer.Sign(sign.Message{ID: v.ID, Timestamp: time.Unix(v.Timestamp, 0), Body: []byte(v.Body)})
		if err != nil {
			t.Fatal(err)
		}
		if len(header) != 3 {
			t.Errorf("%d headers, want 3: %v", len(header), header)
		}
		for name, want := range map[string]string{
			"webhook-id": v.ID, "webhook-timestamp": fmt.Sprint(v.Timestamp), "webhook-signature": v.Signature,
		} {
			if got := header.Get(name); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
	}
}

func TestSignListsOneEntryPerSecretInTheOrderGiven(t *testing.T) {
	t.Parallel()
	newest, old := sign.GenerateSecret(), sign.GenerateSecret()
	message := sign.Message{ID: "msg_1", Timestamp: time.Unix(1614265330, 0), Body: []byte("{}")}
	alone := func(secret string) string {
		return mustSign(t, message, secret).Get("webhook-signature")
	}
	got := mustSign(t, message, newest, old).Get("webhook-signature")
	if want := alone(newest) + " " + alone(old); got != want {
		t.Errorf("signatures %q, want the newest first: %q", got, want)
	}
}

func mustSign(t testing.TB, m sign.Message, secrets ...string) http.Header {
	t.Helper()
	signer, err := sign.NewStandardWebhooks(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	header, err := signer.Sign(m)
	if err != nil {
		t.Fatal(err)
	}
	return header
}

func TestSignRefusesWhatItCannotSeal(t *testing.T) {
	t.Parallel()
	signer, err := sign.NewStandardWebhooks(sign.GenerateSecret())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1614265330, 0)
	for why, m := range map[string]sign.Message{
		"no id":                     {Timestamp: at},
		"the separator in the id":   {ID: "msg.1", Timestamp: at},
		"a header smuggled in":      {ID: "msg\r\nX-Evil: 1", Timestamp: at},
		"no ASCII, so no header":    {ID: "mśg", Timestamp: at},
		"timestamp forgotten":       {ID: "msg"},
		"timestamp before the unix": {ID: "msg", Timestamp: time.Unix(-1, 0)},
	} {
		if header, err := signer.Sign(m); err == nil {
			t.Errorf("%s: sealed as %v", why, header)
		}
	}
}

func TestCheckSecret(t *testing.T) {
	t.Parallel()
	bytes := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for _, row := range []struct {
		why, secret string
		good        bool
	}{
		{"shortest", bytes(24), true},
		{"longest", bytes(64), true},
		{"newly made", sign.GenerateSecret(), true},
		{"one byte short", bytes(23), false},
		{"one byte long", bytes(65), false},
		{"empty, as in the vectors", "", false},
		{"bare prefix, as in the vectors", "whsec_", false},
		{"no prefix", strings.TrimPrefix(bytes(32), "whsec_"), false},
		{"the private half of v1a", "whsk_" + strings.TrimPrefix(bytes(32), "whsec_"), false},
		{"URL alphabet: other receivers would not decode it", "whsec_" + strings.Repeat("-_", 22), false},
		{"padding missing", strings.TrimRight(bytes(32), "="), false},
		{"line break, which Go's decoder skips", bytes(24)[:20] + "\n" + bytes(24)[20:], false},
		{"bits left over in the last character", bytes(32)[:len(bytes(32))-2] + "B=", false},
	} {
		err := sign.CheckSecret(row.secret)
		if (err == nil) != row.good {
			t.Errorf("%s: %v", row.why, err)
		}
		if tail := strings.TrimPrefix(row.secret, "whsec_"); err != nil && tail != "" && strings.Contains(err.Error(), tail) {
			t.Errorf("%s: the error holds the secret: %v", row.why, err)
		}
		if _, err := sign.NewStandardWebhooks(sign.GenerateSecret(), row.secret); (err == nil) != row.good {
			t.Errorf("%s: NewStandardWebhooks does not agree: %v", row.why, err)
		}
	}
	if _, err := sign.NewStandardWebhooks(); err == nil {
		t.Error("a signer without a secret was made")
	}
}

func TestGeneratedSecretsDiffer(t *testing.T) {
	t.Parallel()
	if a, b := sign.GenerateSecret(), sign.GenerateSecret(); a == b {
		t.Errorf("twice %q", a)
	}
}

func TestSignerNeverPrintsItsKeys(t *testing.T) {
	t.Parallel()
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("K", 24)))
	signer, err := sign.NewStandardWebhooks(secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		got := fmt.Sprintf(verb, struct{ Signer sign.Signer }{signer})
		if !strings.Contains(got, "secrets not shown") {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}
