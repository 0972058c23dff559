package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/store/embedded"
)

// parentRole names the data directory of the Tidings that this binary plays.
const parentRole = "TIDINGS_TEST_PARENT"

// beParent starts a Redis, tells where and waits to be killed. When the test
// is gone its standard input ends, and so does it.
func beParent(dir string) int {
	r, err := embedded.Start(context.Background(), embedded.Config{DataDir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintln(os.Stdout, r.Options().Addrs[0])
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = r.Close()
	return 0
}

func TestChildEndsWithAKilledParent(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends a child with its parent")
	}
	needServer(t)
	dir := t.TempDir()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentRole+"="+dir)
	parent.Stderr = os.Stderr
	stdin, err := parent.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdin.Close() }()
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	sock := strings.TrimSpace(line)
	rdb := redis.NewClient(&redis.Options{Addr: sock})
	set(t, rdb, "kept")
	_ = rdb.Close()
	// A connection, and not the path: the next Start removes the old socket.
	conn, err := net.Dial("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()

	_ = parent.Process.Kill()
	_ = parent.Wait()

	// The orphan holds the lock until it has ended, so this also waits for it.
	again := start(t, embedded.Config{DataDir: dir})
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the orphan still lives")
	}
	if _, err := os.Stat(filepath.Dir(sock)); err == nil {
		t.Error("the socket of the killed parent was left behind")
	}
	wantKey(t, client(t, again), "kept")
}
