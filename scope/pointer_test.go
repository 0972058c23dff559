package scope_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/tidings/tidings/scope"
)

// The examples of RFC 6901 §5.
func TestPointerOfTheRFC(t *testing.T) {
	t.Parallel()
	v := parse(t, `{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}`)
	for text, want := range map[string]string{
		"/foo": `["bar","baz"]`, "/": `0`, "/a~1b": `1`, "/c%d": `2`, "/e^f": `3`, "/g|h": `4`,
		`/i\j`: `5`, `/k"l`: `6`, "/ ": `7`, "/m~0n": `8`, "": string(v.JSON()),
	} {
		p, err := scope.ParsePointer(text)
		if err != nil || p.String() != text {
			t.Errorf("ParsePointer(%q) = %q, %v", text, p, err)
			continue
		}
		if got := string(v.At(p).JSON()); got != want {
			t.Errorf("at %q is %s, want %s", text, got, want)
		}
	}
	// Ours, unlike the RFC's, never leads into an array.
	if p, _ := scope.ParsePointer("/foo/0"); !v.At(p).IsAbsent() {
		t.Error("/foo/0 leads into an array")
	}
}

func TestAt(t *testing.T) {
	t.Parallel()
	v := parse(t, `{"a":{"":{"~1":5}},"n":null,"s":"x"}`)
	for text, want := range map[string]string{
		"/a//~01": "5", "/a/": `{"~1":5}`, "/a/b": "", "/a//b/c/d": "", "/n": "null", "/n/x": "", "/s/length": "",
	} {
		p, err := scope.ParsePointer(text)
		got := v.At(p)
		if err != nil || got.IsAbsent() != (want == "") || want != "" && string(got.JSON()) != want {
			t.Errorf("at %q is %s (absent %v), %v; want %s", text, got.JSON(), got.IsAbsent(), err, want)
		}
	}
}

func TestParsePointerFaults(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"a": "starts with", "#/a": "starts with", "$.a": "starts with",
		"/~": "byte 1", "/a~2": "byte 2", "/~01~": "byte 4",
		"/a\n": "control", "/\u0085": "control", "/\xff": "UTF-8",
		strings.Repeat("/a", 65):        "65 tokens",
		"/" + strings.Repeat("a", 1024): "1025 bytes",
	} {
		if p, err := scope.ParsePointer(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("ParsePointer(%.40q) = %q, %v; want an error that says %q", text, p, err, says)
		}
	}
	for _, text := range []string{strings.Repeat("/a", 64), "/" + strings.Repeat("a", 1023)} {
		if _, err := scope.ParsePointer(text); err != nil {
			t.Errorf("a pointer at the limit: %v", err)
		}
	}
}

func TestChildAndTokens(t *testing.T) {
	t.Parallel()
	names := []string{"a", "", "~1", "b/c", "~"}
	var p scope.Pointer
	for _, name := range names {
		p = p.Child(name)
	}
	if p.String() != "/a//~01/b~1c/~0" || !reflect.DeepEqual(p.Tokens(), names) {
		t.Errorf("%q has the tokens %q", p, p.Tokens())
	}
	if tokens := (scope.Pointer{}).Tokens(); tokens != nil {
		t.Errorf("the whole document has the tokens %q", tokens)
	}
}
