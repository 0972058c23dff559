//go:build !unix

package embedded

import (
	"os"
	"os/exec"
)

// prepare has nothing to offer here: no process group, no inherited lock.
func prepare(*exec.Cmd, *os.File) {}
