//go:build unix && !linux

package embedded

import (
	"os"
	"os/exec"
	"syscall"
)

// prepare gives the child its own process group, so that Ctrl-C reaches Redis
// only after Tidings has shut down, and hands it the lock. Nothing here ends a
// child whose parent was killed; the lock then tells the next Start about it.
func prepare(cmd *exec.Cmd, lock *os.File) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.ExtraFiles = []*os.File{lock}
}
