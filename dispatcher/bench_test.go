package dispatcher_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher"
)

// BenchmarkPlan matches a change of an order of 100 KB against many notifications: in the last row they all look at
// its large cart, which was spelled anew and has changed at its end.
func BenchmarkPlan(b *testing.B) {
	cart := func(space, total string) string {
		return `{"items":[` + strings.Repeat(`{"sku":"ABC-0001",`+space+`"name":"Cotton shirt","price":93.09},`, 1600) + `{}],"total":` + total + `}`
	}
	c := change(b, `{"state":{"currentStatus":"accepted"},"cart":`+cart("", "1")+`}`,
		`{"state":{"currentStatus":"completed"},"cart":`+cart(" ", "2")+`}`, "")
	for _, row := range []struct {
		name, scope string
		many, owed  int
	}{
		{"1 fires", `{"state":["completed"]}`, 1, 1},
		{"100 fire", `{"state":["completed"]}`, 100, 100},
		{"10000 do not fire", `{"state":["declined"]}`, 10_000, 0},
		{"10000 look at a large cart", `{"cart":true}`, 10_000, 10_000},
	} {
		all := make([]dispatcher.Notification, row.many)
		for i := range all {
			all[i] = notification(b, fmt.Sprint("n", i), row.scope)
		}
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := len(plan(b, c, all)); got != row.owed {
					b.Fatalf("%d deliveries", got)
				}
			}
		})
	}
}
