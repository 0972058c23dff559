package scope_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/tidings/tidings/scope"
)

// seeds are documents that differ from one another in the ways that matter.
var seeds = []string{
	`null`, `[]`, `{}`, `0`, `-0.0e1`, `"\u00e9"`, `{"a":1}`, `{"a":1.0}`, `{"a":{"b":null}}`, `{"a":[]}`, `{"a":[1]}`, `{"a":[2]}`,
	`{"a":{"b":{"c":1,"d":[{"e":1}]}},"x":true}`, `{"x":false,"a":{"b":{"d":[{"e":1.0}]}}}`, `{"a/b":{"~":1},"":{"\n":1}}`,
	`{"a~b":{"\n":2,"":3}}`, `{"\u0061":1e400,"b":[null]}`, orderBefore, orderAfter, orderSame,
}

func FuzzParse(f *testing.F) {
	for _, seed := range append(seeds, ``, `{"a":1,"a":2}`, `[1e401]`, "\"\xff\"", `"\ud800"`, `{} {}`, `[1,]`, ` [ 1 , { } ] `) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, faults := scope.Parse(data, scope.Limits{})
		if len(faults) > 0 {
			for _, fault := range faults {
				if json.Valid(data) && !isOurOwn(fault) {
					t.Fatalf("encoding/json takes it, we say %v", fault)
				}
			}
			return
		}
		if !json.Valid(data) {
			t.Fatal("encoding/json refuses it")
		}
		text := v.JSON()
		again, faults := scope.Parse(text, scope.Limits{})
		if len(faults) > 0 || !scope.Equal(v, again) || string(again.JSON()) != string(text) {
			t.Fatalf("%q is written as %q, which is read as %q, %v", data, text, again.JSON(), faults)
		}
		rebuilt := rebuild(v)
		if string(rebuilt.JSON()) == "" || !scope.Equal(v, rebuilt) || !reflect.DeepEqual(v.Any(), rebuilt.Any()) {
			t.Fatalf("%q built anew is %q", text, rebuilt.JSON())
		}
	})
}

// isOurOwn reports whether a fault is one of those we find in valid JSON.
func isOurOwn(f scope.Fault) bool {
	for _, own := range []string{"occurs again", "nested deeper", "digits, at most", "exponent is beyond", "not valid UTF-8", "surrogate", "not listed"} {
		if strings.Contains(f.Detail, own) {
			return true
		}
	}
	return false
}

// rebuild makes the same value with the constructors, without any text it was read from.
func rebuild(v scope.Value) scope.Value {
	switch v.Kind() {
	case scope.KindString:
		text, _ := v.Text()
		return scope.String(text)
	case scope.KindNumber:
		text, _ := v.Number()
		return scope.Number(text)
	case scope.KindArray:
		var items []scope.Value
		for _, item := range v.Items() {
			items = append(items, rebuild(item))
		}
		return scope.Array(items...)
	case scope.KindObject:
		var members []scope.Member
		for _, m := range v.Members() {
			members = append(members, scope.Member{Name: m.Name, Value: rebuild(m.Value)})
		}
		return scope.Object(members...)
	default:
		return v
	}
}

func FuzzDiff(f *testing.F) {
	for i, a := range seeds {
		f.Add(a, seeds[(i+1)%len(seeds)], uint64(i))
		f.Add(a, seeds[(i+7)%len(seeds)], uint64(i))
	}
	f.Fuzz(func(t *testing.T, a, b string, seed uint64) {
		before, faultsA := scope.Parse([]byte(a), scope.Limits{})
		after, faultsB := scope.Parse([]byte(b), scope.Limits{})
		if len(faultsA)+len(faultsB) > 0 {
			t.Skip()
		}
		pointers := scope.Diff(before, after)
		if scope.Equal(before, after) != (len(pointers) == 0) || scope.Equal(before, after) != scope.Equal(after, before) {
			t.Fatalf("equal %v and %v, changed %q", scope.Equal(before, after), scope.Equal(after, before), pointers)
		}
		applied := before
		for _, p := range pointers {
			if _, err := scope.ParsePointer(p.String()); err != nil {
				t.Fatalf("changed %q: %v", p, err)
			}
			if scope.Equal(before.At(p), after.At(p)) {
				t.Fatalf("%q is told as changed, but is equal", p)
			}
			applied = put(applied, p.Tokens(), after.At(p))
		}
		if !scope.Equal(applied, after) {
			t.Fatalf("%q do not explain %s -> %s: they give %s", pointers, a, b, applied.JSON())
		}
		rng := rand.New(rand.NewPCG(seed, 1))
		for _, v := range []scope.Value{before, after, rebuild(after)} {
			text := respell(v, rng)
			respelled, faults := scope.Parse([]byte(text), scope.Limits{MaxNumberDigits: 1000})
			if len(faults) > 0 {
				t.Fatalf("%s: %v", text, faults)
			}
			if !scope.Equal(v, respelled) || len(scope.Diff(v, respelled)) > 0 {
				t.Fatalf("%s respelled as %s differs at %q", v.JSON(), text, scope.Diff(v, respelled))
			}
		}
	})
}

// put is v with the value at those names replaced.
func put(v scope.Value, names []string, value scope.Value) scope.Value {
	if len(names) == 0 {
		return value
	}
	return v.With(names[0], put(v.Member(names[0]), names[1:], value))
}

// respell writes the same meaning differently.
func respell(v scope.Value, rng *rand.Rand) string {
	space := strings.Repeat(" ", rng.IntN(2))
	switch v.Kind() {
	case scope.KindObject:
		members := append([]scope.Member{{Name: "added nothing", Value: scope.Null}}, v.Members()...)
		if !v.Member("added nothing").IsAbsent() {
			members = members[1:]
		}
		rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		var parts []string
		for _, m := range members {
			parts = append(parts, escapeAll(m.Name)+":"+space+respell(m.Value, rng))
		}
		return "{" + space + strings.Join(parts, space+",") + "}"
	case scope.KindArray:
		var parts []string
		for _, item := range v.Items() {
			parts = append(parts, respell(item, rng))
		}
		return "[" + strings.Join(parts, ","+space) + space + "]"
	case scope.KindString:
		text, _ := v.Text()
		return escapeAll(text)
	case scope.KindNumber:
		text, _ := v.Number()
		mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
		if !strings.Contains(mantissa, ".") {
			mantissa += "."
		}
		if exponent == "" {
			exponent = "-0"
		}
		return mantissa + "00E" + exponent
	default:
		return space + string(v.JSON())
	}
}

// escapeAll writes every character of a string as an escape.
func escapeAll(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r > 0xffff {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, `\u%04x`, r)
	}
	return `"` + b.String() + `"`
}

func FuzzMerge(f *testing.F) {
	for i, a := range seeds {
		f.Add(a, seeds[(i+1)%len(seeds)])
		f.Add(a, seeds[(i+3)%len(seeds)])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		target, faultsA := scope.Parse([]byte(a), scope.Limits{})
		patch, faultsB := scope.Parse([]byte(b), scope.Limits{})
		if len(faultsA)+len(faultsB) > 0 {
			t.Skip()
		}
		text := string(target.JSON())
		merged := scope.Merge(target, patch)
		if want := mergeModel(target.Any(), patch.Any()); !reflect.DeepEqual(merged.Any(), want) {
			t.Fatalf("%s patched with %s is %s, want %v", a, b, merged.JSON(), want)
		}
		if again, faults := scope.Parse(merged.JSON(), scope.Limits{}); len(faults) > 0 || !reflect.DeepEqual(again.Any(), merged.Any()) {
			t.Fatalf("the result is written as %s: %v", merged.JSON(), faults)
		}
		if string(target.JSON()) != text {
			t.Fatalf("the target changed from %s to %s", text, target.JSON())
		}
	})
}

// mergeModel is the pseudo code of RFC 7396 §2.
func mergeModel(target, patch any) any {
	members, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	result := map[string]any{}
	if old, ok := target.(map[string]any); ok {
		maps.Copy(result, old)
	}
	for name, value := range members {
		if value == nil {
			delete(result, name)
		} else {
			result[name] = mergeModel(result[name], value)
		}
	}
	return result
}

func FuzzParseScope(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"state":["completed","*"],"payment":true}`, ``}, {`{"state":["*"],"cart":true,"customer":true}`, ``},
		{`"/state/currentStatus"`, `{"const":"completed"}`}, {`""`, `{"$ref":"#/$defs/a","$defs":{"a":{"type":["object"]}}}`},
		{`"/cart"`, `{"properties":{"total":{"$ref":"#"}},"unevaluatedProperties":false,"patternProperties":{"^t":{"minimum":1}}}`},
		{`"/payments"`, `{"prefixItems":[true],"items":{"not":{"enum":[1,2]}},"contains":{},"uniqueItems":true}`},
		{`"/cart"`, `{"$schema":"http://json-schema.org/draft-07/schema#","dependencies":{"total":["x"]},"if":{},"then":{"allOf":[{"$id":"a"}]}}`},
		{`"/cart"`, `{"$id":"urn:a","$anchor":"x","$defs":{"b":{"$id":"urn:b","$ref":"urn:a#x"}},"anyOf":[{"$ref":"urn:b"}]}`},
	} {
		f.Add(seed[0], seed[1])
	}
	orders := []string{`null`, `{"cart":1}`, orderBefore, orderAfter}
	f.Fuzz(func(t *testing.T, text, schemaText string) {
		rule, faults := scope.Parse([]byte(text), scope.Limits{})
		var schema scope.Value
		if schemaText != "" && len(faults) == 0 {
			schema, faults = scope.Parse([]byte(schemaText), scope.Limits{})
		}
		if len(faults) > 0 {
			t.Skip()
		}
		s, faults := scope.ParseScope(rule, schema)
		for _, fault := range faults {
			if !strings.HasPrefix(fault.Pointer, "/scope") && !strings.HasPrefix(fault.Pointer, "/schema") || fault.Detail == "" {
				t.Fatalf("fault %+v", fault)
			}
		}
		if len(faults) > 0 {
			return
		}
		gotRule, gotSchema := s.JSON()
		if string(gotRule.JSON()) != string(rule.JSON()) || gotSchema.IsAbsent() != (schemaText == "") || string(gotSchema.JSON()) != string(schema.JSON()) {
			t.Fatalf("registered %s %s, read back %s %s", rule.JSON(), schema.JSON(), gotRule.JSON(), gotSchema.JSON())
		}
		for _, a := range orders {
			for _, b := range orders {
				for _, hit := range s.Match(parse(t, a), parse(t, b)) {
					if a == b || hit.Key == "" || scope.Equal(hit.Before, hit.After) {
						t.Fatalf("%s -> %s fires %+v", a, b, hit)
					}
				}
			}
		}
	})
}

func FuzzPointer(f *testing.F) {
	for _, seed := range []string{"", "/", "/a/b", "/a~1b/~0", "//", "/~01", "a", "/~", "/é", "/\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := scope.ParsePointer(text)
		if err != nil {
			return
		}
		var rebuilt scope.Pointer
		for _, name := range p.Tokens() {
			rebuilt = rebuilt.Child(name)
		}
		if p.String() != text || rebuilt.String() != text {
			t.Fatalf("%q is %q, and %q from its tokens %q", text, p, rebuilt, p.Tokens())
		}
		document := put(scope.Value{}, p.Tokens(), scope.Bool(true))
		if yes, _ := document.At(p).Bool(); !yes {
			t.Fatalf("%q leads to %s in %s", text, document.At(p).JSON(), document.JSON())
		}
		if changed := scope.Diff(scope.Value{}, document); len(changed) != 1 || changed[0].String() != text {
			t.Fatalf("%s comes to be: changed %q", document.JSON(), changed)
		}
	})
}
