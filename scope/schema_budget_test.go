package scope_test

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/tidings/tidings/scope"
)

// list is n times a text, with its number for @ and commas between.
func list(n int, text string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = strings.ReplaceAll(text, "@", strconv.Itoa(i))
	}
	return strings.Join(all, ",")
}

// None of these takes the value, but finding out takes most of a second or much more: they are not asked, and so the scope
// fires. A tenth of one is asked.
func TestSchemaTooCostlyOfOneKind(t *testing.T) {
	t.Parallel()
	const draft7 = `"$schema":"http://json-schema.org/draft-07/schema#",`
	text := `"` + strings.Repeat("a", 1<<20-100) + `"`
	names := `{"k":[` + list(3000, `"x@"`) + `]}`
	often := func(ref string) string { return `{"allOf":[` + list(20, `{"$ref":"`+ref+`"}`) + `]}` }
	for _, row := range []struct {
		name, schema string // %s: a list
		part         string // what it holds, one of the two times
		costly, less int
		value        string
	}{
		{"a long text is copied for every schema", `{"allOf":[%s],"not":{}}`, `{"title":"@"}`, 300, 30, text},
		{"its characters are counted", `{"allOf":[%s],"not":{}}`, `{"minLength":@}`, 300, 30, text},
		{"it is held against a format", `{` + draft7 + `"allOf":[%s],"not":{}}`, `{"format":"uri-reference","title":"@"}`, 40, 4, text},
		{"it is compiled", `{` + draft7 + `"format":"regex","not":{},"examples":[%s]}`, `@`, 1, 1, text},
		{"names of members are hashed", `{"allOf":[%s],"not":{}}`, `{"properties":{"b@":{}}}`, 300, 30, `{` + text + `:1}`},
		{"members are listed", `{"allOf":[%s],"unevaluatedProperties":true,"not":{}}`, `{"title":"@"}`, 150, 15, `{` + list(10_000, `"k@":1`) + `}`},
		{"large numbers are divided", `{"items":{"allOf":[%s]},"maxItems":0}`, `{"multipleOf":1e-39@}`, 10, 1, `[` + list(2000, `1e400`) + `]`},
		{"long numbers are compared", `{"items":{"allOf":[%s]},"maxItems":0}`, `{"minimum":-1e10@}`, 10, 1, `[` + list(2000, strings.Repeat("1", 400)) + `]`},
		{"whole numbers are told from others", `{"items":{"allOf":[%s]},"maxItems":0}`, `{"type":"integer","title":"@"}`, 30, 3, `[` + list(2000, `1e-400`) + `]`},
		{"large numbers are looked for in a list", `{"items":{"enum":[%s]},"maxItems":0}`, `1e3@`, 20, 2, `[` + list(2000, `1e400`) + `]`},
		{"names that others require", `{"allOf":[%s],"not":{},"$defs":{"x":{"dependentRequired":` + names + `},"y":` + often("#/$defs/x") + `}}`, `{"$ref":"#/$defs/y"}`, 50, 5, `{"k":1}`},
		{"so, as once spelled", `{` + draft7 + `"allOf":[%s],"not":{},"definitions":{"x":{"dependencies":` + names + `},"y":` + often("#/definitions/x") + `}}`, `{"$ref":"#/definitions/y"}`, 50, 5, `{"k":1}`},
		{"what is paid for last", `{"uniqueItems":true,"maxItems":0,"examples":[%s]}`, `@`, 1, 1, `[` + list(30_000, `@`) + `]`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			after := scope.Object(scope.Member{Name: "a", Value: parse(t, row.value)})
			asked := func(n int) bool {
				return parseScope(t, `"/a"`, fmt.Sprintf(row.schema, list(n, row.part))).Match(scope.Value{}, after) == nil
			}
			if asked(row.costly) {
				t.Error("was asked")
			}
			if row.less < row.costly && !asked(row.less) {
				t.Error("a tenth of it was not asked")
			}
		})
	}
}

// All that a change is matched against share one budget. What it cannot pay for any more fires; what is cheap is asked
// for as long as it can.
func TestSchemasOfOneChangeShareABudget(t *testing.T) {
	t.Parallel()
	const large = 1 << 20 // a text for which a schema takes 2048 times as long as for a small one
	nothing, after := scope.Value{}, scope.Object(scope.Member{Name: "a", Value: scope.String(strings.Repeat("a", large))})
	texts := func(n int) string { return `{"allOf":[` + list(n, `{"title":"@"}`) + `],"not":{}}` }
	within, beyond, cheap := texts(140), texts(300), `{"const":"never"}` // within costs less than 300,000
	for _, row := range []struct {
		name   string
		costly string
		many   int
		fire   int // of those
	}{
		{"within the budget", within, 3, 0},
		{"used up", within, 5, 2},
		{"what is too costly by itself takes little from the others", beyond, 10, 10},
	} {
		versions := scope.Compare(nothing, after)
		fired := 0
		for range row.many {
			fired += len(parseScope(t, `"/a"`, row.costly).MatchVersions(versions))
		}
		if fired != row.fire {
			t.Errorf("%s: %d fired, want %d", row.name, fired, row.fire)
		}
		if parseScope(t, `"/a"`, cheap).MatchVersions(versions) != nil {
			t.Errorf("%s: what is cheap was not asked", row.name)
		}
	}
	versions, fired := scope.Compare(nothing, after), 0
	for range 200 {
		fired += len(parseScope(t, `"/a"`, beyond).MatchVersions(versions))
	}
	if fired != 200 || parseScope(t, `"/a"`, within).MatchVersions(versions) == nil {
		t.Errorf("%d of 200 fired, and finding out what they cost is not paid for", fired)
	}
}

// A large order is made ready for schemas once, and only where one looks.
func TestSchemasShareWhatIsMadeReadyForThem(t *testing.T) {
	t.Parallel()
	large := `[` + strings.Repeat("1,", 400_000) + `1]`
	after := parse(t, strings.Repeat(`{"a":`, 20)+large+strings.Repeat("}", 20))
	versions := scope.Compare(scope.Value{}, after)
	match := func(depth int, schema string) bool {
		return parseScope(t, `"`+strings.Repeat("/a", depth)+`"`, schema).MatchVersions(versions) != nil
	}
	for i := range 500 {
		if match(0, `{"type":"array"}`) {
			t.Fatalf("the %dth look at the whole order was not asked", i+1)
		}
	}
	for depth := range 20 {
		if !match(depth, "") {
			t.Fatalf("no schema, and yet it did not fire at depth %d", depth)
		}
	}
	if match(1, `{"type":"array"}`) {
		t.Error("at depth 1 it was not asked, though no schema had looked there or elsewhere but at the top")
	}
	fired := 0
	for depth := range 20 {
		if match(depth, `{"type":"string"}`) {
			fired++
		}
	}
	if fired < 10 {
		t.Errorf("%d of 20 places were too much: making them ready is not paid for", fired)
	}
}

// Whether a schema holds is all that is asked: 50,000 faults, each with the way to it, are not kept. Not parallel, so that
// what is allocated meanwhile is this match's.
func TestSchemaFaultsAreNotKept(t *testing.T) {
	after := parse(t, strings.Repeat(`{"a":`, 60)+`[`+strings.Repeat("1,", 50_000)+`1]`+strings.Repeat("}", 60))
	s := parseScope(t, `""`, `{"properties":{"a":{"$ref":"#"}},"items":{"type":"string"}}`)
	var began, ended runtime.MemStats
	runtime.ReadMemStats(&began)
	hits := s.Match(scope.Value{}, after)
	runtime.ReadMemStats(&ended)
	if hits != nil {
		t.Error("fired")
	}
	if took := (ended.TotalAlloc - began.TotalAlloc) >> 20; took > 40 { // 78 MB else
		t.Errorf("took %d MB", took)
	}
}
