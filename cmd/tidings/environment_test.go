package main

import (
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
