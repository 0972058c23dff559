package embedded

import (
	"os"
	"os/exec"
	"syscall"
)

// prepare gives the child its own process group, so that Ctrl-C reaches Redis
// only after Tidings has shut down, hands it the lock, and has Linux end it
// when this process dies. SIGTERM lets Redis write what it holds.
func prepare(cmd *exec.Cmd, lock *os.File) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.ExtraFiles = []*os.File{lock}
}
