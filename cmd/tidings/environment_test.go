package main

import (
	"context"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// A container that says which version is in it must not keep it from running.
func TestVersionIsNoVariable(t *testing.T) {
	t.Setenv("TIDINGS_VERSION", "1.2.3")
	if code, stdout, stderr := runFor(t, "serve", "--role", "boss"); code != 2 || !strings.Contains(stderr, "--role") {
		t.Errorf("%d %s%s", code, stdout, stderr)
	}
	if code, stdout, _ := runFor(t, "--version"); code != 0 || stdout != "tidings "+version+"\n" {
		t.Errorf("--version: %d %q", code, stdout)
	}
}

// docker compose sets a variable that has no value to nothing; it then says nothing.
func TestEmptyVariableIsUnset(t *testing.T) {
	for _, flag := range append(serveFlagNames(t), "config") {
		t.Setenv("TIDINGS_"+strings.ToUpper(strings.ReplaceAll(flag, "-", "_")), "")
	}
	config := write(t, "allow-target: [10.1.0.0/16]\nsweep: false\n")
	var cli commands
	parser, err := newParser(&cli, io.Discard, io.Discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"serve", "--config", config}); err != nil {
		t.Fatal(err)
	}
	set, err := cli.Serve.check(configFile{})
	if err != nil {
		t.Fatal(err)
	}
	if set.concurrency != 256 || set.sweep || !slices.Contains(set.allowTargets, netip.MustParsePrefix("10.1.0.0/16")) {
		t.Errorf("concurrency %d (default), sweep %t, targets %v (both of the file)", set.concurrency, set.sweep, set.allowTargets)
	}
	if _, err := parser.Parse([]string{"serve"}); err != nil || cli.Config != "" {
		t.Errorf("an empty TIDINGS_CONFIG: %q %v", cli.Config, err)
	}
}

// What is meant for the service is no tool's, neither in the environment nor in the file.
func TestToolsHaveTheirOwnVariables(t *testing.T) {
	for name, value := range map[string]string{"ROLE": "worker", "JSON": "no", "SECRET": "none", "PORT": "http", "MERCHANT": "a b", "NAME": "x"} {
		t.Setenv("TIDINGS_"+name, value)
	}
	config := write(t, "role: worker\nredis-url: ftp://of-the-file\n")
	if code, _, stderr := runFor(t, "--config", config, "token"); code != 0 || !strings.Contains(stderr, `role: "adapter"`) {
		t.Errorf("token: %d %s", code, stderr)
	}
	t.Setenv("TIDINGS_TOKEN_ROLE", "admin")
	if code, _, stderr := runFor(t, "token"); code != 0 || !strings.Contains(stderr, `role: "admin"`) {
		t.Errorf("token with a variable of its own: %d %s", code, stderr)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if code := run(ended, []string{"listen", "--port", "0"}, io.Discard, os.Stderr); code != 0 {
		t.Errorf("listen: %d", code)
	}
	if code, _, stderr := runFor(t, "--config", config, "check"); code != 2 || !strings.Contains(stderr, "--redis-url") {
		t.Errorf("check looks elsewhere than the file says: %d %s", code, stderr)
	}
}

// Two flags share a variable only where they say the same.
func TestVariablesAreShared(t *testing.T) {
	t.Parallel()
	var cli commands
	parser, err := newParser(&cli, io.Discard, io.Discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	users := map[string][]string{}
	var walk func(*kong.Node)
	walk = func(node *kong.Node) {
		for _, flag := range node.Flags {
			for _, name := range flag.Envs {
				users[name] = append(users[name], flag.Name)
			}
		}
		for _, child := range node.Children {
			if !child.Hidden {
				walk(child)
			}
		}
	}
	walk(parser.Model.Node)
	if len(users) < 50 {
		t.Errorf("only %d variables", len(users))
	}
	for name, flags := range users {
		if len(flags) > 1 && !slices.Contains(sharedFlags, flags[0]) {
			t.Errorf("%s is that of %v", name, flags)
		}
	}
}
