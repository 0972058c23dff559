package main

import (
	"context"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"time"
)

type serveCommand struct {
	serveFlags
}

// drainTimeout is how long requests that are being answered may take when the process stops. An attempt's longest
// deadline < queue.ShutdownTimeout, and drainTimeout + queue.StopsWithin < GracePeriod; a test compares them.
const drainTimeout = 15 * time.Second

// GracePeriod is how long whoever stops the process should wait before it kills (docker-compose.yml says so).
const GracePeriod = 75 * time.Second

// Run serves until the context ends.
func (c serveCommand) Run(ctx context.Context, cli *commands, out output) error {
	file, err := readConfigFile(cli.Config)
	if err != nil {
		return usageError{err}
	}
	set, err := c.check(file)
	if err != nil {
		return usageError{fmt.Errorf("the configuration has faults:\n%w", err)}
	}
	// We log by slog alone. What net/http writes to the standard log are its remarks on what receivers send: a line for
	// each odd frame, and bytes that may be our own secrets sent back.
	stdlog.SetOutput(io.Discard)
	letGarbageGather()
	s, err := newService(ctx, set, newLogger(set, out.Err))
	if err != nil {
		return err
	}
	s.welcome(out.Out)
	return s.run(ctx)
}

func newLogger(set settings, to io.Writer) *slog.Logger {
	if set.logJSON {
		return slog.New(slog.NewJSONHandler(to, &set.log))
	}
	return slog.New(slog.NewTextHandler(to, &set.log))
}
