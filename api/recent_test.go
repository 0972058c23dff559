package api_test

import (
	"log/slog"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings/tidings/api"
	"github.com/tidings/tidings/dispatcher/queue"
)

// beside is the door of another process over the same store.
func (d door) beside(t testing.TB) door {
	t.Helper()
	return open(t, d.rdb, func(cfg *api.Config) {
		cfg.Store = d.store
		cfg.Producer = queue.NewProducer(queue.ProducerConfig{Store: d.store, Redis: d.rdb, Bell: queue.NewBell(),
			Log: slog.New(slog.DiscardHandler), Metrics: queue.NewMetrics(prometheus.NewRegistry())})
	})
}

// What one process remembers of an order decides nothing once another process has written it.
func TestAnswersBesideAnotherProcess(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		other := d.beside(t)
		d.put(t, 201, "1", `{"a":1}`)
		other.put(t, 200, "1", `{"a":2}`, `If-Match: "1"`)
		d.must(t, 412, http.MethodPut, orders+"1", `{"a":3}`, `If-Match: "1"`) // which is what d remembers
		d.put(t, 200, "1", `{"a":3}`, `If-Match: "2"`)
		other.must(t, 412, http.MethodPatch, orders+"1", `{"b":1}`, `If-Match: "2"`)

		if a := other.put(t, 200, "1", `{"a":2}`); a.Version != 4 || len(a.Changed) != 1 {
			t.Errorf("a PUT of what this process wrote last, after another wrote: %+v", a)
		}
		if a := d.put(t, 200, "1", `{"a":3}`); a.Version != 5 || len(a.Changed) != 1 {
			t.Errorf("and the other way round: %+v", a)
		}
		d.put(t, 200, "1", `{"a":4,"callback_urls":["https://h.example/"]}`)
		other.must(t, 204, http.MethodDelete, orders+"1", "")
		d.must(t, 404, http.MethodPatch, orders+"1", `{"b":1}`)
		d.put(t, 201, "1", `{"a":4}`)
		if a := d.put(t, 200, "1", `{"a":5}`); a.Version != 8 || len(a.Deliveries) != 0 { // it goes on counting
			t.Errorf("the order of the same id after the deleted one: %+v", a)
		}
	})
}

// Two processes that write one order in turns cost each other a round trip, and nothing else.
func TestTurnsOfTwoProcesses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		doors := []door{d, d.beside(t)}
		d.put(t, 201, "1", `{"seen":{}}`)
		for turn := range 10 {
			name := string(rune('a' + turn))
			var a accepted
			doors[turn%2].must(t, 200, http.MethodPatch, orders+"1", `{"seen":{"`+name+`":true}}`).into(t, &a)
			if a.Version != int64(turn)+2 || len(a.Changed) != 1 || a.Changed[0] != "/seen/"+name {
				t.Errorf("turn %d: %+v", turn, a)
			}
		}
		if got := len(d.load(t, "1").Order.Document.Member("seen").Members()); got != 10 {
			t.Errorf("%d of 10 changes are in the order", got)
		}
	})
}
