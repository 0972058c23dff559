package scope_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

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

// A document that is read folded has the same faults, and is the same to whoever asks it for anything.
func readFolded(t *testing.T, data []byte) {
	t.Helper()
	want, faults := scope.Parse(data, scope.Limits{})
	got, foldedFaults := scope.ParseFolded(data, scope.Limits{})
	if !reflect.DeepEqual(foldedFaults, faults) {
		t.Fatalf("%q: read folded %v, else %v", data, foldedFaults, faults)
	}
	if len(faults) > 0 {
		return
	}
	same(t, want, got)
	if want = want.Clone(); got.Compact() != want.Compact() || got.StandsAlone() != want.StandsAlone() || got.StandsAlone() && got.Bytes() > want.Bytes() {
		t.Errorf("%s: read folded it is compact %t, stands alone %t, has %d bytes", want.JSON(), got.Compact(), got.StandsAlone(), got.Bytes())
	}
	same(t, want, got.Clone())
	same(t, want, got.Folded())
	same(t, want.With("\u00fc", want), got.With("\u00fc", got).Clone())
	same(t, scope.Merge(want, want.With("b", scope.Null)), scope.Merge(got, got.With("b", scope.Null)))
	for _, m := range got.Members() {
		if part := m.Value.Unfolded(); part.StandsAlone() {
			t.Errorf("%s stands alone, in the text of %s", part.JSON(), data)
		}
		same(t, want.Member(m.Name), m.Value.Unfolded())
		same(t, want.Member(m.Name), m.Value.Clone())
	}
}

func TestADocumentReadFoldedIsTheSame(t *testing.T) {
	t.Parallel()
	for _, seed := range append(seeds, order(3, "completed", "93.09"), manyMembers, `{"a":"]\"}\"{[","\u0061b":[[],{},[{"c":"\\"}]]}`,
		`{"a":{"b" : [1,{"c":2}]},"d":[{"e": {}}]}`, ` {"a":{"b":[1,{"c":2}]}}`, "\t[ ]\r\n", `{ "a" : [ 1 , " , \\" : " ] , "b" : 1e4 }`, "[\n  1\n]  ",
		`{"a": 1 2}`, `{"a": tru e}`, `{"a": - 1}`, `{"a": 1 .5}`, `["a" "b"]`, `{"a": "b`, `[1] 2`, "  ", `{"a": {"b": 1, "b": 2}}`, `{ "a": 1e401 }`, `{"a":{"b":1,"b":2},"c":[1e401,"\ud800"]}`, `{"a":[}`) {
		readFolded(t, []byte(seed))
	}
}

// Whoever goes into a folded document reads each byte of it a few times at most, however deep it is and however many look.
func TestFoldedIsNotReadForEachLevel(t *testing.T) {
	t.Parallel()
	deep := func(last string) []byte {
		return []byte(strings.Repeat(`{"a":`, 60) + `{"last":"` + last + `","text":"` + strings.Repeat("x", 1<<18) + `"}` + strings.Repeat("}", 60))
	}
	before, _ := scope.ParseFolded(deep("1"), scope.Limits{})
	after, _ := scope.ParseFolded(deep("2"), scope.Limits{})
	var scopes []scope.Scope
	for i := range 60 {
		scopes = append(scopes, parseScope(t, `"`+strings.Repeat("/a", 60-i)+`/last"`, ""))
	}
	for name, look := range map[string]func() int{
		"diff": func() int { return len(scope.Diff(before, after)) },
		"match": func() (hits int) {
			versions := scope.Compare(before, after)
			for _, s := range scopes {
				hits += len(s.MatchVersions(versions))
			}
			return hits
		},
		"equal":   func() int { return 1 - oneIf(scope.Equal(before, after)) },
		"merge":   func() int { return len(scope.Merge(before, after).Members()) },
		"nothing": func() int { return 1 - oneIf(before.IsNothing()) },
		"any":     func() int { return oneIf(before.Any() != nil) },
	} {
		if got := look(); got != 1 {
			t.Errorf("%s: %d, want 1", name, got)
		}
		read := atBest(func() { _, _ = scope.Parse(deep("1"), scope.Limits{}) })
		if took := atBest(func() { look() }); took > 20*read {
			t.Errorf("%s: takes %d times as long as reading it", name, took/read)
		}
	}
}

func oneIf(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// atBest is how long something takes when nothing disturbs it.
func atBest(do func()) time.Duration {
	best := time.Hour
	for range 20 {
		began := time.Now()
		do()
		best = min(best, time.Since(began))
	}
	return best
}

func FuzzFolded(f *testing.F) {
	for _, seed := range append(seeds, manyMembers, `{"a":{"b":1,"b":2}}`) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if v, faults := scope.Parse(data, scope.Limits{}); len(faults) == 0 {
			folded(t, v)
		}
		readFolded(t, data)
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
