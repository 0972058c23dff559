package scope_test

import (
	"reflect"
	"testing"

	"github.com/tidings/tidings/scope"
)

// A folded value must be the same as before to whoever asks it for anything.
func folded(t *testing.T, v scope.Value) {
	t.Helper()
	whole := v.Clone()
	f := whole.Folded()
	same(t, whole, f)
	if f.StandsAlone() != whole.StandsAlone() || f.Compact() != whole.Compact() {
		t.Errorf("%s: folded it stands alone %t, is compact %t", whole.JSON(), f.StandsAlone(), f.Compact())
	}
	if open := f.Unfolded(); !reflect.DeepEqual(open, whole) {
		t.Errorf("unfolded:\n%#v\n%#v", open, whole)
	}
	same(t, whole, f.Clone())
	same(t, whole.With("\u00fc", whole), f.With("\u00fc", f).Clone())
	same(t, whole.Without("a", "b"), f.Without("a", "b"))
	same(t, scope.Merge(whole, whole.With("b", scope.Null)), scope.Merge(f, f.With("b", scope.Null)))
	if f.Bytes() > whole.Bytes() {
		t.Errorf("%s: %d bytes, folded %d", whole.JSON(), whole.Bytes(), f.Bytes())
	}
}

// same looks at all that may be folded, at every depth.
func same(t *testing.T, want, got scope.Value) {
	t.Helper()
	if got.Kind() != want.Kind() || string(got.JSON()) != string(want.JSON()) || got.Size() != want.Size() || got.IsNothing() != want.IsNothing() {
		t.Fatalf("%s became %s", want.JSON(), got.JSON())
	}
	if !scope.Equal(want, got) || !scope.Equal(got, want) || len(scope.Diff(want, got)) > 0 || len(scope.Diff(got, want)) > 0 {
		t.Errorf("%s is not what it was", want.JSON())
	}
	if len(got.Items()) != len(want.Items()) || len(got.Members()) != len(want.Members()) {
		t.Fatalf("%s: %d items, %d members", want.JSON(), len(got.Items()), len(got.Members()))
	}
	for i, item := range want.Items() {
		same(t, item, got.Items()[i])
	}
	for i, m := range want.Members() {
		if name := got.Members()[i].Name; name != m.Name {
			t.Errorf("%q became %q", m.Name, name)
		}
		same(t, m.Value, got.Member(m.Name))
	}
}

func TestAFoldedValueIsTheSame(t *testing.T) {
	t.Parallel()
	for _, seed := range append(seeds, order(3, "completed", "93.09"), manyMembers, `{"a":"]}\"{[","\u0061b":[[],{},[{"c":"\\"}]]}`) {
		if v, faults := scope.Parse([]byte(seed), scope.Limits{}); len(faults) == 0 {
			folded(t, v)
		}
	}
}

// What cannot be told by its text alone is not folded: white space, or a part of a document.
func TestOnlyWhatStandsAloneIsFolded(t *testing.T) {
	t.Parallel()
	for _, v := range []scope.Value{
		{}, scope.Null, parse(t, `{}`), parse(t, `{ "a":1}`), parse(t, `{"a":{"b":1}}`).Member("a"), parse(t, `{"a":1}`).With("b", scope.Null),
	} {
		if f := v.Folded(); !reflect.DeepEqual(f, v) {
			t.Errorf("%s was folded", v.JSON())
		}
	}
}

func FuzzFolded(f *testing.F) {
	for _, seed := range append(seeds, manyMembers) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if v, faults := scope.Parse(data, scope.Limits{}); len(faults) == 0 {
			folded(t, v)
		}
	})
}

// What a renderer that writes the order does with it.
func BenchmarkMembersOfFolded(b *testing.B) {
	v := parse(b, order(1, "completed", "93.09")).Clone().Folded()
	b.ReportAllocs()
	for b.Loop() {
		if len(v.Members()) == 0 {
			b.Fatal("no members")
		}
	}
}
