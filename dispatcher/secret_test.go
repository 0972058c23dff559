package dispatcher_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher"
)

const hidden = "s3cret"

func TestSecretNeverPrintsItself(t *testing.T) {
	t.Parallel()
	secret := dispatcher.Secret(hidden)
	n := dispatcher.Notification{Secrets: []dispatcher.SigningSecret{{Secret: secret}}, Headers: []dispatcher.Header{{Name: "X-Key", Value: secret}}}
	var out bytes.Buffer
	for _, v := range []any{secret, &secret, n, &n, []dispatcher.Secret{secret}, map[string]dispatcher.Secret{"k": secret},
		struct{ S dispatcher.Secret }{secret}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Fatal(err)
		}
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).With("with", v).Info("a fact", "value", v, slog.Group("group", "value", v))
		}
	}
	fmt.Fprintln(&out, errors.Join(fmt.Errorf("setting %s to %v", "X-Key", secret)))
	if text := out.String(); strings.Contains(text, hidden) {
		at := strings.Index(text, hidden)
		t.Errorf("printed: ...%s", text[max(0, at-100):at+len(hidden)])
	}
	if !strings.Contains(out.String(), dispatcher.Redacted) {
		t.Errorf("nothing printed shows that a secret was there: %.200s", out.String())
	}
	if secret.Reveal() != hidden {
		t.Errorf("Reveal gives %q", secret.Reveal())
	}
}

func TestRedactURL(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ raw, want string }{
		{"https://erp.example.com/orders", "https://erp.example.com/orders"},
		{"https://erp.example.com", "https://erp.example.com"},
		{"https://erp.example.com/?", "https://erp.example.com/?"},
		{"https://erp.example.com/orders?token=s3cret", "https://erp.example.com/orders?token=******"},
		{"https://erp.example.com?key=s3cret&a=b", "https://erp.example.com?key=******&a=******"},
		{"https://h/?s3cret", "https://h/?******"},                             // a bare token
		{"https://h/?a=&s3cret&=s3cret", "https://h/?a=******&******&=******"}, // an empty value looks as any other
		{"https://h/?t=s3cret=s3cret?s3cret", "https://h/?t=******"},           // the value goes on to the next &
		{"https://h/?t=s3c;ret", "https://h/?t=******"},
		{"https://h/?t=s3cret#s3cret", "https://h/?t=******"},
		{"https://h/?&&", "https://h/?&&"},
		{"https://h/{order.id}?t={configuration.s3cret}", "https://h/{order.id}?t=******"},
		{"https://user:s3cret@h/p", "https://******@h/p"},
		{"https://s3cret@h", "https://******@h"},
		{"https://user:s3@cret@h/p?t=s3cret", "https://******@h/p?t=******"}, // the last @ ends it
		{"https://h/p@q", "https://h/p@q"},                                   // an @ of the path is none
		{"https://h?x@s3cret", "https://h?******"},
		{"{configuration.base}/p?t=s3cret", "{configuration.base}/p?t=******"},
		{"", ""},
	} {
		if got := dispatcher.RedactURL(row.raw); got != row.want {
			t.Errorf("%s is shown as %s, want %s", row.raw, got, row.want)
		}
	}
}
