package storetest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tidings/tidings/store/embedded"
	"github.com/tidings/tidings/store/storetest"
)

// reapRole makes this binary start one server in a fresh process.
const reapRole = "STORETEST_REAP_ROLE"

// A process that was killed leaves its home; the next process takes it away,
// and only that one.
func TestHomesOfTheDeadAreReaped(t *testing.T) {
	t.Parallel()
	if os.Getenv(reapRole) != "" {
		storetest.Private(t)
		return
	}
	if _, ok := embedded.Find(); !ok {
		t.Skip("no redis-server on the PATH: no home is ever made")
	}
	temp := shortTemp(t)
	ended := exec.Command(os.Args[0], "-test.run=^$")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	stale := home(t, temp, fmt.Sprintf("tidings-test-redis-%d-1", ended.Process.Pid))
	living := home(t, temp, fmt.Sprintf("tidings-test-redis-%d-1", os.Getpid()))
	foreign := home(t, temp, "tidings-test-redis-notes")

	next := exec.Command(os.Args[0], "-test.run=^TestHomesOfTheDeadAreReaped$")
	next.Env = append(os.Environ(), reapRole+"=1", "TMPDIR="+temp)
	if out, err := next.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("the home of the dead process is still there")
	}
	for _, dir := range []string{living, foreign} {
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("it took away what is not its own: %v", err)
		}
	}
}

func home(t *testing.T, temp, name string) string {
	t.Helper()
	dir := filepath.Join(temp, name)
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}
