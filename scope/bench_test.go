package scope_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidings/tidings/scope"
)

// order is an order of about 1 KB with one line; each more adds about 250 bytes.
func order(lines int, status, total string) string {
	var items strings.Builder
	for i := range lines {
		fmt.Fprintf(&items, `,{"id":"line-%d","sku":"ABC-%04d","name":"Cotton shirt, caf\u00e9 edition","quantity":%d,"price":{"amount":93.09000000,"currency":"SEK","vat":0.25},"attributes":{"color":"navy","size":"XL","tags":["summer","sale"]},"url":"https://shop.example.com/p?id=%d&ref=mail"}`, i, i, i+1, i)
	}
	return `{"id":"7c1d9b2e-5a44-4c5e-9f57-1d2f0a3b4c5d","merchant":"acme","channel":"se-web","reference":"100042","created":"2026-04-09T08:42:15.123456Z",` +
		`"state":{"currentStatus":"` + status + `","transitions":[{"status":"checkout","timeStamp":"2026-04-09T08:40:00Z"}]},"culture":"sv-SE","currency":"SEK","country":"SE",` +
		`"cart":{"items":[` + items.String()[1:] + `],"total":{"includingVat":` + total + `,"excludingVat":74.472}},` +
		`"shippings":[{"id":"s1","carrier":"postnord","price":{"amount":0}}],"payments":[{"id":"p1","type":"card","amount":93.09,"state":"authorized"}],` +
		`"customer":{"email":"anna@example.com","name":"Anna Öberg","address":{"street":"Storgatan 1","city":"Luleå","postalCode":"972 31"}},"attributes":{}}`
}

// BenchmarkParse reads an order and makes it what is kept of it, as it is written by most clients, and by Python's json.dumps.
func BenchmarkParse(b *testing.B) {
	for way, parse := range map[string]func([]byte, scope.Limits) (scope.Value, scope.Faults){"whole": scope.Parse, "folded": scope.ParseFolded} {
		for size, lines := range map[string]int{"1KB": 1, "100KB": 370} {
			compact := order(lines, "completed", "93.09")
			spaced := strings.NewReplacer(`":`, `": `, `,"`, `, "`).Replace(compact)
			for spelling, text := range map[string]string{"compact": compact, "spaced": spaced} {
				b.Run(way+"/"+size+"/"+spelling, func(b *testing.B) {
					data := []byte(text)
					b.SetBytes(int64(len(data)))
					b.ReportAllocs()
					for b.Loop() {
						v, faults := parse(data, scope.Limits{})
						if len(faults) > 0 {
							b.Fatal(faults)
						}
						if !v.Compact() {
							v.Clone()
						}
					}
				})
			}
		}
	}
}

// BenchmarkDiffOfLargerOrders changes the status and a number far in.
func BenchmarkDiffOfLargerOrders(b *testing.B) {
	for name, lines := range map[string]int{"1KB": 1, "10KB": 35, "100KB": 370} {
		before, after := parse(b, order(lines, "accepted", "93.09")), parse(b, order(lines, "completed", "94"))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := len(scope.Diff(before, after)); got != 2 {
					b.Fatalf("%d changes", got)
				}
			}
		})
	}
}

func BenchmarkDiff(b *testing.B) {
	before := parse(b, order(1, "accepted", "93.09"))
	for name, row := range map[string]struct {
		after   scope.Value
		changed int
	}{
		"same text":  {parse(b, order(1, "accepted", "93.09")), 0},
		"respelled":  {parse(b, strings.ReplaceAll(order(1, "accepted", "93.090"), `":`, `": `)), 0},
		"one change": {parse(b, order(1, "completed", "93.09")), 1},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := len(scope.Diff(before, row.after)); got != row.changed {
					b.Fatalf("%d changes", got)
				}
			}
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	before, after := parse(b, order(1, "accepted", "93.09")), parse(b, order(1, "completed", "94"))
	for name, row := range map[string][2]string{
		"state":               {`{"state":["completed"]}`, ""},
		"all keys":            {`{"state":["*"],"payment":true,"shipping":true,"cart":true,"customer":true}`, ""},
		"pointer":             {`"/state/currentStatus"`, ""},
		"pointer and schema":  {`"/state/currentStatus"`, `{"const":"completed"}`},
		"document and schema": {`""`, `{"properties":{"state":{"properties":{"currentStatus":{"enum":["completed"]}}}},"required":["cart"]}`},
	} {
		s := parseScope(b, row[0], row[1])
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if s.Match(before, after) == nil {
					b.Fatal("does not fire")
				}
			}
		})
	}
}

func BenchmarkMerge(b *testing.B) {
	target := parse(b, order(1, "accepted", "93.09"))
	patch := parse(b, `{"state":{"currentStatus":"completed"},"cart":{"total":{"includingVat":1}},"attributes":null}`)
	b.ReportAllocs()
	for b.Loop() {
		if scope.Merge(target, patch).IsAbsent() {
			b.Fatal("absent")
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	compact := parse(b, order(1, "accepted", "93.09"))
	buffer := make([]byte, 0, 4096)
	for name, v := range map[string]scope.Value{"as read": compact, "built": compact.With("x", scope.Null)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				buffer = v.AppendJSON(buffer[:0])
			}
		})
	}
}

// BenchmarkParseScope is what reading a notification costs: the schema is cached.
func BenchmarkParseScope(b *testing.B) {
	rule, schema := scope.String("/state/currentStatus"), parse(b, `{"const":"completed"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, faults := scope.ParseScope(rule, schema); len(faults) > 0 {
			b.Fatal(faults)
		}
	}
}
