package scope_test

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/tidings/tidings/scope"
)

func diff(before, after scope.Value) string {
	var all []string
	for _, p := range scope.Diff(before, after) {
		all = append(all, fmt.Sprintf("%q", p))
	}
	return strings.Join(all, " ")
}

func TestEqual(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		a, b string
		want bool
	}{
		{`10`, `10.0`, true}, {`10`, `1e1`, true}, {`10`, `0.1E+2`, true}, {`0`, `-0.0e7`, true}, {`100`, `1.00e+0002`, true},
		{`1e-2`, `0.010`, true}, {`1`, `-1`, false}, {`1`, `10`, false}, {`1.1`, `11`, false}, {`0.1`, `0.01`, false},
		{`1e400`, `1e399`, false},
		{`12345678901234567890123`, `12345678901234567890124`, false}, // one float64, two numbers
		{`0.1`, `0.1000000000000000055511151231257827`, false},        // likewise
		{`"\u00e9\/"`, `"é/"`, true}, {`"a"`, `"b"`, false}, {`"\u0061"`, `"\u0062"`, false},
		{`"1"`, `1`, false}, {`true`, `"true"`, false}, {`true`, `false`, false}, {`null`, `false`, false}, {`""`, `null`, false}, {`0`, `null`, false},
		{`{"a":1,"b":2}`, `{ "b" : 2, "a" : 1.0 }`, true}, {`{"a":1}`, `{"A":1}`, false},
		{`{"a":{"b":null}}`, `{}`, true}, {`{}`, `[]`, true}, {`[]`, `null`, true}, {`{"a":[]}`, `null`, true},
		{`{"a":1,"b":null}`, `{"a":1,"c":{}}`, true}, {`{"a":1}`, `{"a":1,"c":0}`, false}, {`{"c":0,"a":1}`, `{"a":1}`, false},
		{`[1,2]`, `[2,1]`, false}, {`[1]`, `[1,null]`, false}, // an array's length counts
		{`[null]`, `[{}]`, true}, {`[null]`, `[]`, false}, {`[1]`, `{"0":1}`, false}, {`[1]`, `1`, false},
		{`[1.0,{"a":"\u0061"}]`, `[1,{"a":"a","b":[]}]`, true},
	} {
		a, b := parse(t, row.a), parse(t, row.b)
		if scope.Equal(a, b) != row.want || scope.Equal(b, a) != row.want {
			t.Errorf("%s equals %s = %v and %v, want %v", row.a, row.b, scope.Equal(a, b), scope.Equal(b, a), row.want)
		}
		if none := len(scope.Diff(a, b)) == 0; none != row.want {
			t.Errorf("%s and %s differ at %s", row.a, row.b, diff(a, b))
		}
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", 600)
	for _, row := range []struct{ before, after, want string }{
		{`1`, `2`, `""`},
		{`{}`, `{"a":{"b":1,"c":{"d":[1],"e":null}}}`, `"/a/b" "/a/c/d"`}, // what comes to be: its leaves
		{`{"a":{"b":1,"c":[1]}}`, `{"a":[]}`, `"/a/b" "/a/c"`},            // what goes: likewise
		{`{"z":1,"y":2,"x":3}`, `{"x":0,"y":2,"w":1}`, `"/x" "/w" "/z"`},  // after's order, then what is gone
		{`{"a":1}`, `{"a":{"b":1}}`, `"/a"`}, {`{"a":{"b":1}}`, `{"a":1}`, `"/a"`},
		{`{"a":1}`, `{"a":{"b":{}}}`, `"/a"`}, // the object is nothing, but 1 was something
		{`{"a":[1]}`, `{"a":{"0":1}}`, `"/a"`}, {`{"a":[]}`, `{"a":{"0":1}}`, `"/a/0"`},
		{`{"a":[{"b":1}]}`, `{"a":[{"b":2}]}`, `"/a"`}, // an array is one value
		{`{"a/b":{"~":1,"":2}}`, `{"a/b":{"~":2,"":3}}`, `"/a~1b/~0" "/a~1b/"`},
		// Members that no pointer may name are told by the object around them.
		{`{"a":{"b":1,"c\n":1}}`, `{"a":{"b":2,"c\n":2}}`, `"/a"`},
		{`{"a":{"b":1,"c\n":1.0}}`, `{"a":{"b":2,"c\n":1}}`, `"/a/b"`},
		{`{"x":1,"` + long + `":{"` + long + `":1}}`, `{"x":2}`, fmt.Sprintf(`"/x" "/%s"`, long)},
	} {
		if got := diff(parse(t, row.before), parse(t, row.after)); got != row.want {
			t.Errorf("%s -> %s: changed %s, want %s", row.before, row.after, got, row.want)
		}
	}
	v := parse(t, `{"a":{"b":1},"c":[]}`)
	if got := diff(scope.Value{}, v); got != `"/a/b"` {
		t.Errorf("the first version changed %s", got)
	}
	if got := diff(v, scope.Value{}); got != `"/a/b"` {
		t.Errorf("the last version changed %s", got)
	}
}

// Many members under long names: named each, they would take 150 times the bytes of the order. Not parallel, so that what is
// allocated meanwhile is this comparison's.
func TestDiffIsBounded(t *testing.T) {
	members := func(n, value int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(`,"` + strconv.FormatInt(int64(i), 36) + `":` + strconv.Itoa(value))
		}
		return b.String()[1:]
	}
	long := strings.Repeat("n", 900)
	order := func(value int) scope.Value {
		return parse(t, `{"few":{"x":{`+members(1000, value)+`}},"`+long+`":{"a":{"b":{`+members(100_000, value)+`},"c":1}},"same":{"d":1},"after":{"e":`+
			strconv.Itoa(value)+`},"`+long+`1":{"f":{`+members(1000, value)+`}}}`)
	}
	before, after := order(1), order(2)
	var began, ended runtime.MemStats
	runtime.ReadMemStats(&began)
	found := scope.Diff(before, after)
	runtime.ReadMemStats(&ended)
	if took := (ended.TotalAlloc - began.TotalAlloc) >> 20; took > 5 { // 150 MB else
		t.Errorf("took %d MB", took)
	}
	var top []string
	applied := before
	for _, p := range found {
		if tokens := p.Tokens(); tokens[0] != "few" {
			top = append(top, p.String())
			applied = applied.With(tokens[0], after.Member(tokens[0]))
		} else if len(tokens) != 3 {
			t.Fatalf("%s is named, though there was room", p)
		}
	}
	if want := "/" + long + " /after /" + long + "1"; len(found) != 1003 || strings.Join(top, " ") != want {
		t.Errorf("%d pointers; those after 1 MiB: %.100q", len(found), top)
	}
	if !scope.Equal(applied.With("few", after.Member("few")), after) {
		t.Error("something that changed is not named")
	}
	// Where there is nothing to sum up to, everything is named.
	wide, other := parse(t, `{`+members(150_000, 1)+`,"`+long+`":1,"z!":{"z":1}}`), parse(t, `{`+members(150_000, 2)+`,"`+long+`":2,"z!":{"z":2}}`)
	if found := scope.Diff(wide, other); len(found) != 150_002 || found[150_001].String() != "/z!/z" {
		t.Errorf("%d pointers, the last is %s", len(found), found[len(found)-1])
	}
}
