// Command tidings dispatches notifications about orders. It is one binary: serve (API, worker, console, all in one
// process or each in its own) and the tools around it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the linker for releases.
var version = "0.1.0-dev"

// commands is the command line.
type commands struct {
	Config  string           `help:"YAML file; holds every flag of serve by its name, and tokens." type:"path" placeholder:"FILE"`
	Version kong.VersionFlag `help:"Print the version and leave." env:"-"` // containers often have a TIDINGS_VERSION

	Serve   serveCommand   `cmd:"" default:"withargs" help:"Run the API, the worker and the pages (the default command)."`
	Token   tokenCommand   `cmd:"" help:"Make a token for the configuration file."`
	Check   checkCommand   `cmd:"" help:"Print the invariant (accepted, terminal, open, overdue, orphaned); ends with 1 when anything is orphaned."`
	Requeue requeueCommand `cmd:"" help:"Put everything that is owed back to work, after whatever was lost."`
	Reseal  resealCommand  `cmd:"" help:"Seal what is sealed with an older key with the first one; ends with 1 while an older one is still needed."`
	Demo    demoCommand    `cmd:"" help:"Tell one order's life through all four systems, with failures and retries, and leave."`
	Listen  listenCommand  `cmd:"" help:"Receive and print deliveries: a target for trying things out."`
	Bench   benchCommand   `cmd:"" help:"Measure Tidings on this machine."`

	BenchProcess benchProcess `cmd:"" hidden:""`
}

func main() {
	// A signal becomes the end of a context here and nowhere else. A second one ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var cli commands
	left := -1 // kong asks to leave after --help and --version
	parser, err := newParser(&cli, stdout, stderr, func(code int) { left = code })
	if err != nil {
		fmt.Fprintln(stderr, "tidings:", err)
		return 2
	}
	parsed, err := parser.Parse(args)
	if left >= 0 {
		return left
	}
	if err != nil {
		if fault := (fileError{}); errors.As(err, &fault) {
			err = fault // without the flag for which kong happened to ask first
		}
		fmt.Fprintln(stderr, "tidings:", err)
		return 2
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	parsed.Bind(&cli, output{stdout, stderr})
	if err := parsed.Run(); err != nil {
		fmt.Fprintln(stderr, "tidings:", err)
		var usage usageError
		if errors.As(err, &usage) {
			return 2
		}
		return 1
	}
	return 0
}

func newParser(cli *commands, stdout, stderr io.Writer, leave func(code int)) (*kong.Kong, error) {
	return kong.New(cli, kong.Name("tidings"), kong.Description("Outbound notification dispatcher for orders."),
		kong.PostBuild(environment), kong.Vars{"version": "tidings " + version}, kong.Writers(stdout, stderr),
		kong.Resolvers(fileResolver()), kong.Exit(leave), kong.UsageOnError())
}

// output is where a command writes: results to Out, everything else to Err.
type output struct{ Out, Err io.Writer }

// usageError is the user's to mend; the exit status is 2.
type usageError struct{ error }
