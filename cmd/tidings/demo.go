package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/alecthomas/kong"
)

// demo tells one order's life through all four systems. It starts what it needs (here: Tidings with a Redis of
// its own; demo_receivers.go: the four receivers), tells (demo_story.go), and prints nothing that it has not checked
// (demo_expect.go). It ends with 1 when anything went differently.
type demoCommand struct {
	Spoil string `hidden:"" enum:",norce,fbpi,probo,fatpay" default:"" help:"Let this receiver misbehave, to see that the demo notices."`
}

// demoTimeout bounds it all; it takes a few seconds.
const demoTimeout = 2 * time.Minute

// Run tells the story. Everything is gone when it returns.
func (c demoCommand) Run(ctx context.Context, out output) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, demoTimeout, fmt.Errorf("it took longer than %s", demoTimeout))
	defer cancel()
	world, err := openDemoWorld(ctx, c.Spoil, out.Err)
	if err != nil {
		return fmt.Errorf("start the demo: %w", err)
	}
	defer func() { err = errors.Join(err, world.close()) }()
	err = (&demo{world: world, out: out.Out, began: time.Now(), deliveries: map[demoDelivery]string{}}).tell(ctx)
	switch {
	case err != nil && errors.Is(ctx.Err(), context.Canceled):
		return errors.New("the demo was interrupted")
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		fmt.Fprintf(out.Out, "\nIt went differently: %v\n", err)
		return errors.New("the demo did not go as told")
	}
	return nil
}

// demoWorld is everything that the story plays in.
type demoWorld struct {
	dir       string
	service   *service
	stop      context.CancelFunc
	stopped   chan error
	api       demoClient
	receivers map[string]*demoReceiver // by system
	flow      *fbpiFlow
	fetched   chan fbpiRecord
}

// openDemoWorld starts Tidings on a free port with its data in a temporary directory, and the receivers.
func openDemoWorld(ctx context.Context, spoil string, log io.Writer) (w *demoWorld, err error) {
	w = &demoWorld{stopped: make(chan error, 1), fetched: make(chan fbpiRecord, 1000)}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.dir, err = os.MkdirTemp("", "tidings-demo-"); err != nil {
		return w, err
	}
	token, _ := newToken()
	set, err := demoSettings("--listen=127.0.0.1:0", "--data-dir="+w.dir, "--dev-token="+token, "--log-level=error")
	if err != nil {
		return w, err
	}
	if w.service, err = newService(ctx, set, newLogger(set, log)); err != nil {
		return w, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	w.stop = stop
	go func() { w.stopped <- w.service.run(running) }()
	w.api = newDemoClient("http://"+w.service.listener.Addr().String(), token)
	if err := w.api.ready(ctx); err != nil {
		return w, err
	}
	return w, w.openReceivers(ctx, spoil)
}

// demoSettings are those of serve, and nothing of the environment: a demo must not touch anybody's Redis.
func demoSettings(args ...string) (settings, error) {
	var flags serveFlags
	parser, err := kong.New(&flags)
	if err != nil {
		return settings{}, err
	}
	if _, err := parser.Parse(args); err != nil {
		return settings{}, err
	}
	return flags.check(configFile{})
}

// close ends all of it, the senders first, and removes the data.
func (w *demoWorld) close() (err error) {
	if w.stop != nil {
		w.stop()
		err = <-w.stopped
	}
	if w.flow != nil {
		w.flow.close()
	}
	for _, r := range w.receivers {
		err = errors.Join(err, r.close())
	}
	if w.dir != "" {
		err = errors.Join(err, os.RemoveAll(w.dir))
	}
	return err
}
