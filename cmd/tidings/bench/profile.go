package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"syscall"
	"time"
)

// A CPU profile of Tidings under load: its process begins one at a first signal and ends it at a second, so that neither
// its start nor the steady load is in it.

// profileSignal begins and ends a profile.
const profileSignal = syscall.SIGUSR1

// ProfileOnSignal writes a CPU profile to the file, from one signal to the next.
func ProfileOnSignal(file string, complain io.Writer) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, profileSignal)
	go func() {
		<-signals
		out, err := os.Create(file + unfinished)
		if err == nil {
			err = pprof.StartCPUProfile(out)
		}
		if err != nil {
			fmt.Fprintln(complain, "profile:", err)
			return
		}
		<-signals
		pprof.StopCPUProfile()
		_ = out.Close()
		_ = os.Rename(file+unfinished, file)
	}()
}

// unfinished marks a profile that is still being written.
const unfinished = ".unfinished"

// beginProfile begins the profile of Tidings, if one was asked for.
func (s *stand) beginProfile() error {
	if s.profiled == "" { // or no Tidings here
		return nil
	}
	if err := os.Remove(s.profiled); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.tidings[0].process.cmd.Process.Signal(profileSignal)
}

// endProfile ends it, and returns when it is written.
func (s *stand) endProfile(ctx context.Context) error {
	if s.profiled == "" {
		return nil
	}
	if err := s.tidings[0].process.cmd.Process.Signal(profileSignal); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		if _, err := os.Stat(s.profiled); err == nil {
			return nil
		}
		if err := wait(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("wait for the profile: %w", err)
		}
	}
}

// profileFile is where the profile of Tidings goes; a relative path is the caller's.
func profileFile(cfg Config) (string, error) {
	if cfg.Profile == "" {
		return "", nil
	}
	return filepath.Abs(cfg.Profile)
}
