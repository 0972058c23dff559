package embedded_test

import (
	"testing"

	"github.com/tidings/tidings/store/embedded"
)

// Not parallel: it changes the PATH.
func TestNoServerOnThePathMeansMemory(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if path, ok := embedded.Find(); ok {
		t.Fatalf("Find = %s", path)
	}
	if r := start(t, embedded.Config{DataDir: t.TempDir()}); r.Durable() {
		t.Errorf("it started %s", r.Describe())
	}
}
