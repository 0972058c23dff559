package wire_test

import (
	"cmp"
	"testing"

	"github.com/tidings/tidings/dispatcher/wire"
)

// BenchmarkRender is one body of each format, from an order with two notifications.
func BenchmarkRender(b *testing.B) {
	documents := map[string]string{"fatpay": "fatpay.order.json"}
	for _, name := range wire.Names() {
		document := cmp.Or(documents[name], "norce.order.json")
		f := format(b, name)
		m := with(b, message(b, name, read(b, document)), ways[name][0].options)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.Render(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
