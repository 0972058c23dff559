package scope_test

import (
	"strings"
	"testing"

	"github.com/tidings/tidings/scope"
)

func TestParseKeepsWhatIsWritten(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ in, out string }{
		{`null`, `null`}, {` true `, `true`}, {`false`, `false`}, {"\r\n\t 1", `1`},
		{`93.09000000`, `93.09000000`}, {`-0.0E+00`, `-0.0E+00`},
		{`"a & b <\u003c> \/"`, `"a & b <\u003c> \/"`},
		{`"\ud83d\ude00"`, `"\ud83d\ude00"`}, // a whole pair
		{`"\\ud800"`, `"\\ud800"`},           // a backslash and five characters, no surrogate
		{`[ ]`, `[]`}, {`{ }`, `{}`}, {`[ 1 , [ ] , { } ]`, `[1,[],{}]`},
		{`{ "b" : 1, "\u0061" : [ {"x": "y"} ] }`, `{"b":1,"\u0061":[{"x":"y"}]}`},
		{`{"a":{"c" :1},"b":[1,2]}`, `{"a":{"c":1},"b":[1,2]}`},
		{`{"a":1,"A":2,"":3}`, `{"a":1,"A":2,"":3}`},
	} {
		if got := string(parse(t, row.in).JSON()); got != row.out {
			t.Errorf("%s is written back as %s, want %s", row.in, got, row.out)
		}
	}
}

func TestParseDoesNotKeepItsInput(t *testing.T) {
	t.Parallel()
	data := []byte(`{"name":"before"}`)
	v, _ := scope.Parse(data, scope.Limits{})
	copy(data, `{"NAME":"AFTER!"}`)
	if got := string(v.JSON()); got != `{"name":"before"}` {
		t.Errorf("value changed with its input: %s", got)
	}
}

func TestParseFaults(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, row := range []struct{ in, pointers, says string }{
		{``, "", "empty"},
		{" \n", "", "empty"},
		{`{} {}`, "", "ends before byte 3"},
		{`1 x`, "", "more follows"},
		{`01`, "", "more follows"},
		{"\ufeff{}", "", "byte 0"}, // RFC 8259 §8.1 lets us refuse a byte order mark
		{`{"a":[1,2`, "/a/2", "ends before the JSON value does"},
		{`{"a":tru}`, "/a", "byte 8"},
		{`{"a":1,}`, "", "byte 6"},
		{`{1:2}`, "", "must be a string"},
		{`[1}`, "/1", "byte 2"},
		{"\"\x01\"", "", "control"},
		{`'a'`, "", "byte 0"},
		{`NaN`, "", "byte 0"},
		{`{"a":1,"b":{"c":1,"c":2},"\u0061":3,"a":4}`, "/b/c /a /a", "byte 18"}, // names are compared decoded
		{"[\"\xff\",\"\\ud800\",\"\\udc00\\ud800\",\"\\ud800\\u0041\"]", "/0 /1 /2 /3", "UTF-8"},
		{"{\"\xff\":1}", "/\uFFFD", "member's name"},
		{`[1e400,1e401,-1E-401,1e99999999999999999999,1e0000000401,1e000000000000400]`, "/1 /2 /3 /4", "beyond 400"},
		{`[` + strings.Repeat("9", 400) + `,` + strings.Repeat("9", 401) + `,0.` + strings.Repeat("0", 400) + `]`, "/1 /2", "401 digits"},
		{`{"a":` + deep(63) + `,"b":` + deep(64) + `,"c":[[` + deep(70) + `]]}`, "/b" + strings.Repeat("/0", 63) + " /c" + strings.Repeat("/0", 63), "deeper than 64"},
		{`{"a":1,"a":1e999,"b":"\ud800","c":]}`, "/a /a /b /c", "syntax error"}, // everything up to the syntax error
		{`{"a/b":{"~":1e999}}`, "/a~1b/~0", "beyond"},
	} {
		v, faults := scope.Parse([]byte(row.in), scope.Limits{})
		if len(faults) == 0 || !v.IsAbsent() {
			t.Errorf("Parse(%.60q) = %s, %d faults; want absent and a fault", row.in, v.JSON(), len(faults))
			continue
		}
		if got := pointersOf(faults); got != row.pointers {
			t.Errorf("Parse(%.60q) faults at %q, want %q", row.in, got, row.pointers)
		}
		if !strings.Contains(faults.Error(), row.says) {
			t.Errorf("Parse(%.60q) = %q, want it to say %q", row.in, faults, row.says)
		}
	}
}

func TestParseLimits(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		in     string
		limits scope.Limits
		faults int
	}{
		{`[[1]]`, scope.Limits{MaxDepth: 2}, 0},
		{`[[[]]]`, scope.Limits{MaxDepth: 2}, 1},
		{`[123,1234,0.123,12.34]`, scope.Limits{MaxNumberDigits: 3}, 3},
		{`[1e9,1e10,1e-10,1e+09]`, scope.Limits{MaxExponent: 9}, 2},
		{`[[1e401]]`, scope.Limits{MaxDepth: 2}, 1}, // fields left zero are the defaults
	} {
		if _, faults := scope.Parse([]byte(row.in), row.limits); len(faults) != row.faults {
			t.Errorf("Parse(%s, %+v): %d faults (%v), want %d", row.in, row.limits, len(faults), faults, row.faults)
		}
	}
}

// The answer to a bad order must not be larger than what can be sent back: neither
// the number of faults nor their pointers grow with the input.
func TestParseFaultsAreBounded(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("n", 100_000)
	text := `{"a":{"` + name + `":[` + strings.Repeat("1e999,", 10_000) + `1]}}`
	_, faults := scope.Parse([]byte(text), scope.Limits{})
	if len(faults) != 101 || !strings.Contains(faults[100].Detail, "not listed") {
		t.Fatalf("%d faults, the last %q; want 100 and a word about the rest", len(faults), faults[len(faults)-1].Detail)
	}
	if faults[0].Pointer != "/a" {
		t.Errorf("pointer = %.80q, want that of the nearest value that can be named", faults[0].Pointer)
	}
}

func TestFaultsErr(t *testing.T) {
	t.Parallel()
	if err := (scope.Faults{}).Err(); err != nil {
		t.Errorf("no faults are the error %v", err)
	}
	err := scope.Faults{{Pointer: "/a", Detail: "x"}, {Detail: "y"}}.Err()
	if err == nil || err.Error() != "/a: x; y" {
		t.Errorf("faults are the error %v", err)
	}
}
