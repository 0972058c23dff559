package scope_test

import (
	"bytes"
	"testing"

	"github.com/tidings/tidings/scope"
)

// meanings are values many of which mean the same, and others almost.
var meanings = append([]string{
	`10`, `10.0`, `1e1`, `0.1E+2`, `-10`, `100`, `1`, `0`, `-0.0e7`, `1e400`, `0.1`, `0.10`, `12345678901234567890123`, `12345678901234567890124`,
	`"é/"`, `"\u00e9\/"`, `"1"`, `""`, `"n"`, `"true"`, `true`, `false`, `[null]`, `[{}]`, `[1]`, `[1.0,null]`, `[1,[]]`, `[1,2]`, `[12]`, `[[1],2]`, `[[1,2]]`,
	`{"a":{"b":{}}}`, `{"a":1,"b":null}`, `{"b":{"c":[]},"\u0061":1.0}`, `{"a":1,"b":2}`, `{"b":2,"a":1}`, `{"ab":1}`, `{"a":"b\":1"}`, `{"a":[{"a":1}]}`,
	`{"a":{"a":1}}`, `{"A":1}`, `{"n":1}`, `{"a":"n"}`, `{"0":1}`,
}, seeds...)

func TestMeaning(t *testing.T) {
	t.Parallel()
	for _, a := range meanings {
		for _, b := range meanings {
			sameMeaning(t, parse(t, a), parse(t, b))
		}
	}
	// Of a part that is folded, too.
	folded, faults := scope.ParseFolded([]byte(`{"a":{"b":[1,{"c":2.0}],"d":"`+string(bytes.Repeat([]byte("x"), 2000))+`"}}`), scope.DefaultLimits)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	sameMeaning(t, folded, folded.Unfolded())
	if before := []byte("before"); !bytes.HasPrefix(folded.AppendMeaning(before), before) {
		t.Error("what was there before is gone")
	}
}

// sameMeaning holds the bytes of two values to Equal.
func sameMeaning(t *testing.T, a, b scope.Value) {
	t.Helper()
	one, other := a.AppendMeaning(nil), b.AppendMeaning(nil)
	if bytes.Equal(one, other) != scope.Equal(a, b) {
		t.Errorf("%.200s means %.200q, %.200s means %.200q, and they are equal: %v", a.JSON(), one, b.JSON(), other, scope.Equal(a, b))
	}
}

func FuzzMeaning(f *testing.F) {
	for i, seed := range meanings {
		f.Add([]byte(seed), []byte(meanings[len(meanings)-1-i]))
	}
	f.Fuzz(func(t *testing.T, one, other []byte) {
		a, faults := scope.Parse(one, scope.DefaultLimits)
		b, more := scope.Parse(other, scope.DefaultLimits)
		if len(faults) == 0 && len(more) == 0 {
			sameMeaning(t, a, b)
		}
	})
}
