package dispatcher_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

func TestFindTheSame(t *testing.T) {
	t.Parallel()
	first, second := full(t), full(t)
	second.ID, second.AdapterID, second.Reference, second.URL = "n2", "", "", "https://second/"
	third := full(t)
	third.ID, third.Reference, third.URL = "n3", "other", "https://third/"
	registered := []dispatcher.Notification{first, second, third}
	for _, row := range []struct {
		name string
		want int
		edit func(*dispatcher.Notification)
	}{
		{"id", 1, func(n *dispatcher.Notification) { n.ID = "n2" }}, // though adapter and reference are the first's
		{"an id that is not there is new, whatever else it repeats", -1, func(n *dispatcher.Notification) { n.ID = "n9" }},
		{"adapter and reference", 0, func(n *dispatcher.Notification) { n.URL = "https://new/" }},
		{"adapter and another reference", 2, func(n *dispatcher.Notification) { n.Reference = "other" }},
		{"adapter and a new reference", -1, func(n *dispatcher.Notification) { n.Reference = "new" }},
		{"a reference alone tells nothing", -1, func(n *dispatcher.Notification) { n.AdapterID = "" }},
		{"an adapter alone tells nothing", -1, func(n *dispatcher.Notification) { n.Reference = "" }},
		{"content", 1, func(n *dispatcher.Notification) { *n = second; n.ID = "" }},
		{"almost the content", -1, func(n *dispatcher.Notification) { *n = second; n.ID, n.Method = "", "PUT" }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			n := full(t)
			n.ID = ""
			row.edit(&n)
			if got := dispatcher.NewRegistrations(slices.Clone(registered)).Find(n); got != row.want {
				t.Errorf("the same as %d, want %d", got, row.want)
			}
		})
	}
	if got := dispatcher.NewRegistrations(nil).Find(first); got != -1 {
		t.Errorf("among none it is %d", got)
	}
}

// findByComparing is what Find says, by comparing with each.
func findByComparing(registered []dispatcher.Notification, n dispatcher.Notification) int {
	switch {
	case n.ID != "":
		return slices.IndexFunc(registered, func(r dispatcher.Notification) bool { return r.ID == n.ID })
	case n.AdapterID != "" && n.Reference != "":
		return slices.IndexFunc(registered, func(r dispatcher.Notification) bool {
			return r.AdapterID == n.AdapterID && r.Reference == n.Reference
		})
	}
	return slices.IndexFunc(registered, n.SameContent)
}

// anyone is a notification of few fields with few values, so that many repeat one another in some way.
func anyone(t *testing.T, rng *rand.Rand) dispatcher.Notification {
	t.Helper()
	pick := func(texts ...string) string { return texts[rng.IntN(len(texts))] }
	n := dispatcher.Notification{
		ID: pick("", "", "n1", "n2"), AdapterID: pick("", "erp"), Reference: pick("", "export", "stock"), URL: "https://h/",
		Scope: rule(t, pick(`"/a"`, `"/\u0061"`, `{"state":["a"],"cart":true}`, `{"cart":true,"state":["\u0061"]}`)), Signing: pick("", "standard-webhooks"),
		Options: value(t, pick(`{}`, `null`, `{"a":1}`, `{"a":1.0,"b":[]}`)), Retry: dispatcher.Retry{Schedule: durations(make([]time.Duration, rng.IntN(2))...)},
	}
	if n.Signing != "" && rng.IntN(3) > 0 {
		n.Secrets = secrets(dispatcher.Secret(pick("whsec_a", "whsec_b")))
	}
	if rng.IntN(4) == 0 {
		n.Headers = []dispatcher.Header{{Name: "X-Key", Value: dispatcher.Secret(pick("a", "b"))}}
	}
	return n
}

// Whatever was added and replaced, it finds what comparing with each would.
func TestFindAsByComparing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var compared []dispatcher.Notification
		for range rng.IntN(5) {
			compared = append(compared, anyone(t, rng))
		}
		r, found := dispatcher.NewRegistrations(slices.Clone(compared)), 0
		for range 100 {
			n := anyone(t, rng)
			want := findByComparing(compared, n)
			if got := r.Find(n); got != want {
				t.Fatalf("seed %d, among %d: %d, want %d: %+v", seed, len(compared), got, want, n)
			}
			switch at := rng.IntN(3); {
			case at == 0 && len(compared) > 0:
				i := rng.IntN(len(compared))
				compared[i] = n
				r.Replace(i, n)
			case want < 0:
				compared = append(compared, n)
				r.Add(n)
			default:
				found++
			}
		}
		if found == 0 || len(r.All()) != len(compared) {
			t.Errorf("seed %d: %d found, %d registered, want %d", seed, found, len(r.All()), len(compared))
		}
	}
}

// What is dear to compare is read once of each: with four times as many it takes four times as much. (Not parallel: it
// counts allocations, of which each decoded text is one.)
func TestFindReadsEachOnce(t *testing.T) {
	cost := func(many int) float64 {
		scopes := make([]string, 32)
		for i := range scopes {
			scopes[i] = fmt.Sprintf(`"\u0061-status-%d"`, i)
		}
		escaped := `{"state":[` + strings.Join(scopes, ",") + `]}`
		plain := strings.ReplaceAll(escaped, `\u0061`, "a")
		var registered, sent []dispatcher.Notification
		for i := range many {
			// The last that is compared is what tells them apart.
			registered = append(registered, dispatcher.Notification{Scope: rule(t, escaped), Options: value(t, fmt.Sprintf(`{"a":%d}`, i))})
			sent = append(sent, dispatcher.Notification{Scope: rule(t, plain), Options: value(t, fmt.Sprintf(`{"a":%d.5}`, i))})
		}
		return testing.AllocsPerRun(1, func() {
			r := dispatcher.NewRegistrations(registered)
			for _, n := range sent {
				if r.Find(n) >= 0 {
					t.Error("found what is not there")
				}
			}
		})
	}
	if few, many := cost(20), cost(80); many > 8*few {
		t.Errorf("%v allocations for 20 among 20, %v for 80 among 80", few, many)
	}
}
