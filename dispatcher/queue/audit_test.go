package queue_test

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher/queue"
)

func TestAuditTellsByMetrics(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		h.register("http://127.0.0.1:1/", nil)
		d := h.change("s1")[0]
		h.change("s2")
		if err := rdb.ZRem(t.Context(), fmt.Sprintf("td{s%d}:due", h.ref.Shard()), d.ID).Err(); err != nil {
			t.Fatal(err)
		}
		if err := h.sweeper.Audit(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := map[string]float64{"tidings_deliveries pending": 1, "tidings_deliveries waiting": 1, "tidings_deliveries_orphaned": 1}
		queue.RegisterBacklog(h.registry, h.store)
		families, err := h.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				name := f.GetName()
				for _, label := range m.GetLabel() {
					name += " " + label.GetValue()
				}
				if n, ok := want[name]; ok && m.GetGauge().GetValue() == n {
					delete(want, name)
				}
			}
			if f.GetName() == "tidings_deliveries" && len(f.GetMetric()) != 9 {
				t.Errorf("%d statuses are told, those that nothing has not as 0", len(f.GetMetric()))
			}
		}
		if len(want) > 0 {
			t.Errorf("not told: %v", want)
		}
		if err := h.newSweeper().Audit(t.Context()); err != nil { // another process: it has just been done
			t.Error(err)
		}
	})
}
