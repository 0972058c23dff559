package storetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/tidings/tidings/store/embedded"
)

// databases bounds how many tests may use one server between its start and its
// end.
const databases = 4096

// process is the redis-server of this test process.
var process shared

// shared is a redis-server that lives while a test uses it. No test binary
// tells us that its last test is over, so the server ends whenever nobody uses
// it and starts again, in about 0.1 s, when somebody does.
type shared struct {
	mu    sync.Mutex
	redis *embedded.Redis // nil while nobody uses it
	home  string
	users int
	next  int // the next database that no test has had
}

// take gives the server and a database of it that no test has had.
func (s *shared) take() (*embedded.Redis, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.redis == nil {
		if err := s.start(); err != nil {
			return nil, 0, err
		}
	}
	if s.next == databases {
		return nil, 0, fmt.Errorf("more than %d tests in an unbroken overlap: the redis-server for tests has no fresh database left", databases)
	}
	s.users++
	s.next++
	return s.redis, s.next - 1, nil
}

func (s *shared) start() error {
	home, err := newHome()
	if err != nil {
		return err
	}
	// Not the context of the test that happens to come first: others stay.
	r, err := embedded.Start(context.Background(), embedded.Config{
		DataDir:     filepath.Join(home, dataName),
		Socket:      filepath.Join(home, socketName),
		Databases:   databases,
		AppendFsync: "no", // nobody wants the data after the test
	})
	if err != nil {
		_ = os.RemoveAll(home)
		return fmt.Errorf("redis-server for tests: %w", err)
	}
	s.redis, s.home, s.next = r, home, 0
	return nil
}

// give takes one user away, and with the last one the server and its files.
func (s *shared) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	if s.users > 0 {
		return
	}
	_ = s.redis.Kill() // at once: its data goes with it
	_ = os.RemoveAll(s.home)
	s.redis = nil
}
