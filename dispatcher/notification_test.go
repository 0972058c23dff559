package dispatcher_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

// full is a notification with something in every field.
func full(t *testing.T) dispatcher.Notification {
	t.Helper()
	return dispatcher.Notification{
		ID: "n1", AdapterID: "erp", Reference: "export", Description: "to the ERP", URL: "https://h/p?token=s3cret", Version: "v0",
		Method: "POST", Headers: []dispatcher.Header{{Name: "X-Key", Value: "s3cret"}}, Scope: rule(t, `"/state"`, `{"const":10}`),
		ExcludeActors: []string{"pim"}, Format: "norce", Options: value(t, `{"a":1}`), Signing: "standard-webhooks",
		Secrets: secrets("whsec_s3cret"), Ordering: dispatcher.OrderingStrict,
		Retry:   dispatcher.Retry{MaxAttempts: 3, Schedule: durations(time.Second)},
		Timeout: dispatcher.Duration(time.Second), ExpiresAfter: dispatcher.Duration(time.Hour), Created: noon,
	}
}

func TestSameContent(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		same bool
		edit func(*dispatcher.Notification)
	}{
		{"nothing", true, func(*dispatcher.Notification) {}},
		{"id and times are no content", true, func(n *dispatcher.Notification) { n.ID, n.Created, n.Stopped = "n2", time.Time{}, noon }},
		{"spelling of scope and schema", true, func(n *dispatcher.Notification) { n.Scope = rule(t, `"\u002fstate"`, ` {"const":10.0} `) }},
		{"spelling of options", true, func(n *dispatcher.Notification) { n.Options = value(t, `{"a":1.0,"b":null}`) }},
		{"adapter", false, func(n *dispatcher.Notification) { n.AdapterID = "x" }},
		{"reference", false, func(n *dispatcher.Notification) { n.Reference = "x" }},
		{"description", false, func(n *dispatcher.Notification) { n.Description = "x" }},
		{"url", false, func(n *dispatcher.Notification) { n.URL = "https://h/p?token=other" }},
		{"spelled invoke", false, func(n *dispatcher.Notification) { n.SpelledInvoke = true }},
		{"version", false, func(n *dispatcher.Notification) { n.Version = "v1" }},
		{"method", false, func(n *dispatcher.Notification) { n.Method = "PUT" }},
		{"value of a header", false, func(n *dispatcher.Notification) { n.Headers = []dispatcher.Header{{Name: "X-Key", Value: "x"}} }},
		{"no headers", false, func(n *dispatcher.Notification) { n.Headers = nil }},
		{"scope", false, func(n *dispatcher.Notification) { n.Scope = rule(t, `"/cart"`, `{"const":10}`) }},
		{"schema", false, func(n *dispatcher.Notification) { n.Scope = rule(t, `"/state"`) }},
		{"actors", false, func(n *dispatcher.Notification) { n.ExcludeActors = nil }},
		{"format", false, func(n *dispatcher.Notification) { n.Format = "x" }},
		{"options", false, func(n *dispatcher.Notification) { n.Options = value(t, `{"a":2}`) }},
		{"signing", false, func(n *dispatcher.Notification) { n.Signing = "" }},
		{"secret", false, func(n *dispatcher.Notification) { n.Secrets = secrets("whsec_other") }},
		{"handshake", false, func(n *dispatcher.Notification) { n.Handshake = true }},
		{"what the target answered to it is no content", true, func(n *dispatcher.Notification) { n.Consent.At = noon }},
		{"ordering", false, func(n *dispatcher.Notification) { n.Ordering = dispatcher.OrderingNone }},
		{"attempts", false, func(n *dispatcher.Notification) { n.Retry.MaxAttempts = 4 }},
		{"schedule", false, func(n *dispatcher.Notification) { n.Retry.Schedule = durations(time.Minute) }},
		{"timeout", false, func(n *dispatcher.Notification) { n.Timeout++ }},
		{"expiry", false, func(n *dispatcher.Notification) { n.ExpiresAfter = 0 }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a, b := full(t), full(t)
			row.edit(&b)
			if a.SameContent(b) != row.same || b.SameContent(a) != row.same {
				t.Errorf("same = %v and %v, want %v", a.SameContent(b), b.SameContent(a), row.same)
			}
		})
	}
}

func TestPublicHasNoSecrets(t *testing.T) {
	t.Parallel()
	n := full(t)
	text, err := json.Marshal(n.Public())
	if err != nil || strings.Contains(string(text), hidden) || strings.Contains(string(text), "X-Key") {
		t.Fatalf("%s, %v", text, err)
	}
	want := `{"id":"n1","adapterId":"erp","reference":"export","description":"to the ERP","scope":"/state",` +
		`"schema":{"const":10},"invoke":"https://h/p?token=******","version":"v0"}`
	if string(text) != want {
		t.Errorf("\n got %s\nwant %s", text, want)
	}
}

func TestDurationText(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0s"}, {5 * time.Second, "5s"}, {100 * time.Millisecond, "100ms"}, {1500 * time.Millisecond, "1.5s"},
		{time.Minute, "1m"}, {10 * time.Minute, "10m"}, {90 * time.Second, "1m30s"}, {time.Hour, "1h"}, {10 * time.Hour, "10h"},
		{time.Hour + time.Second, "1h0m1s"}, {2*time.Hour + 30*time.Minute, "2h30m"}, {100 * time.Hour, "100h"},
		{time.Hour + 10*time.Minute, "1h10m"}, {-time.Minute, "-1m"}, {20*time.Hour + 20*time.Minute + 20*time.Second, "20h20m20s"},
	} {
		text, err := json.Marshal(dispatcher.Duration(row.d))
		if err != nil || string(text) != `"`+row.want+`"` {
			t.Errorf("%v is written %s, %v; want %s", row.d, text, err, row.want)
		}
		var back dispatcher.Duration
		if err := json.Unmarshal(text, &back); err != nil || back.D() != row.d {
			t.Errorf("%s is read as %v, %v", text, back.D(), err)
		}
	}
	for _, bad := range []string{"", "5", "5 s", "1d", "five", "1h-"} {
		d := dispatcher.Duration(time.Second)
		if err := d.UnmarshalText([]byte(bad)); err == nil || d.D() != time.Second || !strings.Contains(err.Error(), "10s") {
			t.Errorf("%q is read as %v, %v; want an error that shows how, and nothing changed", bad, d, err)
		}
	}
}

func FuzzDurationText(f *testing.F) {
	for _, seed := range []int64{0, 1, int64(time.Minute), int64(10 * time.Hour), -1, 1<<63 - 1, -1 << 63} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, ns int64) {
		text, _ := dispatcher.Duration(ns).MarshalText()
		var back dispatcher.Duration
		if err := back.UnmarshalText(text); err != nil || int64(back) != ns {
			t.Fatalf("%d is written %s and read as %d, %v", ns, text, back, err)
		}
	})
}

// A text that is taken is a time that can be written and read again, and one that is not changes nothing.
func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"5s", "1h30m", "", "-1m", "1.5h", "9223372036854775807ns", "2562047h47m16.854775808s", "1d", "5", " 5s", "1e3s", "µs", "+5s", ".s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := dispatcher.Duration(42)
		if err := d.UnmarshalText([]byte(text)); err != nil {
			if d != 42 {
				t.Fatalf("%q is refused, and read as %d", text, d)
			}
			return
		}
		written, err := d.MarshalText()
		var back dispatcher.Duration
		if err != nil || back.UnmarshalText(written) != nil || back != d {
			t.Fatalf("%q is read as %d, written as %s, read as %d: %v", text, d, written, back, err)
		}
	})
}
