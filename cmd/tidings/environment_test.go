package main

import (
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
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
