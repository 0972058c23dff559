package dispatcher_test

import (
	"go/build"
	"strings"
	"testing"
)

// design.md §2: dispatcher imports only scope and the standard library.
func TestDispatcherIsALeaf(t *testing.T) {
	t.Parallel()
	const module = "github.com/tidings/tidings"
	here, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	sawScope := false
	for _, path := range here.Imports {
		if path == module+"/scope" {
			sawScope = true
			continue
		}
		if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
			t.Errorf("dispatcher imports %s (%v)", path, here.ImportPos[path])
		}
	}
	if !sawScope { // else this test would look at nothing
		t.Errorf("imports %v: not those of dispatcher", here.Imports)
	}
}
