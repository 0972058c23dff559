package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Config is the same for everything that is measured.
type Config struct {
	Binary   string    // tidings itself; it plays the receivers and Tidings in processes of their own
	Progress io.Writer // what is being done, for people
	TCP      bool      // Redis is reached over TCP, not over a unix socket
	Profile  string    // file for a CPU profile of Tidings while it is loaded as hard as it goes; "" for none
}

// ProcessCommand is the hidden command of the binary that the bench starts; it ends when its standard input does, so that
// nothing outlives a bench that was killed.
const ProcessCommand = "bench-process"

// process is one that the bench started.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// startProcess starts the binary and returns the first line that it prints. What it logs goes to a file in dir.
func startProcess(ctx context.Context, cfg Config, dir, role string, args ...string) (*process, string, error) {
	logs, err := os.CreateTemp(dir, role+"-*.log")
	if err != nil {
		return nil, "", err
	}
	defer logs.Close()
	cmd := exec.Command(cfg.Binary, append([]string{ProcessCommand, role}, args...)...)
	cmd.Env, cmd.Stderr = environment(), logs
	if _, err := cmd.StdinPipe(); err != nil { // open for as long as we live
		return nil, "", err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", fmt.Errorf("start the process of %s: %w", role, err)
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	first := make(chan string, 1)
	go func() {
		out := bufio.NewReader(stdout)
		line, _ := out.ReadString('\n')
		first <- line
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		close(p.ended)
	}()
	select {
	case line := <-first:
		if line != "" {
			return p, line, nil
		}
		<-p.ended
		text, _ := os.ReadFile(logs.Name())
		return nil, "", fmt.Errorf("the process of %s ended at once: %s", role, strings.TrimSpace(string(text)))
	case <-ctx.Done():
		p.kill()
		return nil, "", ctx.Err()
	}
}

// environment is ours without the settings of Tidings, which would change what is measured.
func environment() (env []string) {
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "TIDINGS_") {
			env = append(env, kv)
		}
	}
	return env
}

// kill ends the process at once: everything that it holds is thrown away with its stand.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// tempDir is where a stand keeps its files. The name is short: a unix socket's path may have 103 bytes.
func tempDir() (string, error) {
	dir, err := os.MkdirTemp("", "tdbench")
	if err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

// wait waits, or ends with the context.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
