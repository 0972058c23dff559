package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrNotRunning says that no Tidings runs on a data directory.
var ErrNotRunning = errors.New("no Tidings runs on this data directory")

// Running returns the unix socket of the Redis that a living Tidings runs on the data directory, so that another
// process (tidings check) can look into it.
func Running(dir string) (socket string, err error) {
	text, err := os.ReadFile(filepath.Join(dir, lockName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("lock of the data directory: %w", err)
	}
	var h holder
	if json.Unmarshal(text, &h) != nil || h.Socket == "" || !h.living() {
		return "", fmt.Errorf("%w: %s", ErrNotRunning, dir)
	}
	return h.Socket, nil
}
