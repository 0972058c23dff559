package scope_test

import (
	"testing"

	"github.com/tidings/tidings/scope"
)

// RFC 7396, appendix A, all of it. (The RFC's results are compared as text: ours
// keeps the order the RFC happens to print.)
func TestMergeOfTheRFC(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ target, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		if got := string(scope.Merge(parse(t, row.target), parse(t, row.patch)).JSON()); got != row.want {
			t.Errorf("%s patched with %s is %s, want %s", row.target, row.patch, got, row.want)
		}
	}
}

func TestMergeKeepsWhatItDoesNotTouch(t *testing.T) {
	t.Parallel()
	target := parse(t, `{"url": "a&b<c>", "n": 93.0900, "x\u0079": {"z": 1.0, "w": [ null ]}, "last": 1}`)
	for _, row := range []struct {
		patch scope.Value
		want  string
	}{
		{scope.Value{}, `{"url":"a&b<c>","n":93.0900,"x\u0079":{"z":1.0,"w":[null]},"last":1}`},
		{scope.Object(), `{"url":"a&b<c>","n":93.0900,"x\u0079":{"z":1.0,"w":[null]},"last":1}`},
		{parse(t, `{"xy":{"z":2.50,"\u006e\u0065w":[null]},"none":null}`), `{"url":"a&b<c>","n":93.0900,"x\u0079":{"z":2.50,"w":[null],"\u006e\u0065w":[null]},"last":1}`},
		{parse(t, `{"url":null,"n":"\u0026"}`), `{"n":"\u0026","x\u0079":{"z":1.0,"w":[null]},"last":1}`},
	} {
		if got := string(scope.Merge(target, row.patch).JSON()); got != row.want {
			t.Errorf("patched with %s: %s, want %s", row.patch.JSON(), got, row.want)
		}
	}
	if got := string(scope.Merge(scope.Value{}, parse(t, `{"a":{"b":null,"c":1}}`)).JSON()); got != `{"a":{"c":1}}` {
		t.Errorf("patching absent gives %s", got)
	}
}
