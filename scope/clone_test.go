package scope_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/tidings/tidings/scope"
)

// A clone must be what the store reads back, in every detail: bodies are rendered from either.
func cloned(t *testing.T, v scope.Value) {
	t.Helper()
	read, faults := scope.Parse(v.JSON(), scope.Limits{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if clone := v.Clone(); !reflect.DeepEqual(clone, read) {
		t.Errorf("of %s:\n%#v\n%#v", v.JSON(), clone, read)
	}
}

func TestCloneIsWhatIsReadFromTheJSON(t *testing.T) {
	t.Parallel()
	for _, seed := range append(seeds, ` [ 1 , { } , [ ] ] `, order(3, "completed", "93.09"), `{"`+strings.Repeat("a", 40)+`":{"b":`+manyMembers+`}}`) {
		v, faults := scope.Parse([]byte(seed), scope.Limits{})
		if len(faults) > 0 {
			continue
		}
		cloned(t, v)
		cloned(t, v.With("\n\"", scope.Array(scope.Value{}, v)).Without("a"))
		cloned(t, scope.Merge(v, v.With("b", scope.Null).With("c", scope.String("<&>"))))
	}
	if !(scope.Value{}).Clone().IsAbsent() {
		t.Error("the clone of nothing is something")
	}
}

var manyMembers = func() string {
	var b strings.Builder
	for i := range 20 {
		b.WriteString(`,"` + strings.Repeat("x", i+1) + `":[]`)
	}
	return "{" + b.String()[1:] + "}"
}()

func FuzzClone(f *testing.F) {
	for _, seed := range append(seeds, manyMembers) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if v, faults := scope.Parse(data, scope.Limits{}); len(faults) == 0 {
			cloned(t, v)
			cloned(t, v.With("\u00fc", v))
		}
	})
}

func BenchmarkClone(b *testing.B) {
	v := parse(b, order(1, "completed", "93.09"))
	b.ReportAllocs()
	for b.Loop() {
		v.Clone()
	}
}
