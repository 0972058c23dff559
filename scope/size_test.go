package scope_test

import (
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/tidings/tidings/scope"
)

func TestStandsAlone(t *testing.T) {
	t.Parallel()
	read := parse(t, `{"a":{"b":[1]},"c":2}`)
	for name, row := range map[string]struct {
		v    scope.Value
		want bool
	}{
		"as read":                 {read, true},
		"with a line feed":        {parse(t, "{\"a\":1}\n"), true}, // as most clients send it
		"with spaces inside":      {parse(t, `{ "a" : 1 }`), true}, // its own text
		"much white space before": {parse(t, strings.Repeat(" ", 100)+`{"a":1}`), false},
		"much white space after":  {parse(t, `[1]`+strings.Repeat(" ", 100)), false},
		"a part":                  {read.Member("a"), false},
		"a part as large":         {parse(t, `[{"a":1}]`).Items()[0], false},
		"one member less":         {read.Without("c"), false},
		"one member more":         {read.With("d", scope.Null), false},
		"merged":                  {scope.Merge(read, parse(t, `{"c":3}`)), false},
		"read again":              {parse(t, string(read.Without("c").JSON())), true},
		"absent":                  {scope.Value{}, false},
	} {
		if got := row.v.StandsAlone(); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for _, v := range []scope.Value{
		{}, scope.Null, parse(t, `[]`), parse(t, ` { } `), scope.Array(), scope.Object(), parse(t, `"caf\u00e9"`),
		parse(t, order(2, "completed", "93.09")), parse(t, `[ 1, [2 , "x"], {"\u0061" : [ ], "b":{ } } ]`),
		parse(t, `{ "\u0061":1, "b":2 }`).With("c", scope.Array(scope.Null, parse(t, `[ 1 ]`))).Without("b"),
		scope.Object(scope.Member{Name: "a\"\n", Value: scope.Bool(true)}),
	} {
		want := len(v.JSON())
		if got := v.Size(); got != want {
			t.Errorf("%s has the size %d, want %d", v.JSON(), got, want)
		}
		for _, most := range []int{0, 1, want - 1, want, want + 1} {
			if got := v.LongerThan(most); got != (want > most) {
				t.Errorf("%s longer than %d: %v", v.JSON(), most, got)
			}
		}
	}
}

// Not parallel: what others allocate meanwhile would be counted.
func TestBytesIsAboutWhatReadingTakes(t *testing.T) {
	for name, text := range map[string]string{
		"an order":        order(4, "completed", "93.09"),
		"a large order":   order(40, "completed", "93.09"),
		"many small ones": "[" + strings.Repeat("[1],", 1_000) + "[1]]",
		"numbers":         "[" + strings.Repeat("1,", 1_000) + "1]",
		"a long string":   `["` + strings.Repeat("x", 100_000) + `"]`,
		"escaped names":   `{"a":[` + strings.Repeat(`{"\u0061":{"\u0062":1}},`, 1000) + `0]}`,
	} {
		data := []byte(text)
		var v scope.Value
		took := math.Inf(1)
		for range 20 { // the least: a parser that was collected meanwhile makes room for its stacks again
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			read, faults := scope.Parse(data, scope.DefaultLimits)
			runtime.ReadMemStats(&after)
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			v, took = read, min(took, float64(after.TotalAlloc-before.TotalAlloc))
		}
		if said := float64(v.Bytes()); said < took/3 || said > took*1.2 {
			t.Errorf("%s: %.0f bytes of text take %.0f, not %.0f", name, float64(len(text)), took, said)
		}
	}
}
