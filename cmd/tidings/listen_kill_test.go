package main

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const childArgs = "TIDINGS_TEST_LISTEN"

// TestListenChild is no test but the process that the next one kills.
func TestListenChild(t *testing.T) {
	args := os.Getenv(childArgs)
	if args == "" {
		t.Skip("not started by TestFBPIFlowSurvivesAKill")
	}
	os.Exit(run(t.Context(), strings.Split(args, "\n"), os.Stdout, os.Stderr))
}

// An event that was answered 2xx is worked on, though the process was killed -9 before it could fetch.
func TestFBPIFlowSurvivesAKill(t *testing.T) {
	t.Parallel()
	source, dir := newNoon(t), t.TempDir()
	hold := make(chan struct{})
	source.hold = hold
	args := []string{"--fbpi-base", source.URL, "--out", dir}

	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestListenChild$")
	cmd.Env = append(os.Environ(), childArgs+"="+strings.Join(append([]string{"listen", "--port", "0"}, args...), "\n"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	base, found := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !found {
		t.Fatalf("%q %v", line, err)
	}
	res, err := http.Post(base, "application/json", strings.NewReader(fbpiBody("N1", "m-1")))
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res, err)
	}
	_ = res.Body.Close()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	close(hold)
	if r, err := readFBPIRecord(filepath.Join(dir, "N1"+fbpiRecordSuffix)); err != nil || r.Status != fbpiReceived {
		t.Fatalf("after the kill: %+v %v", r, err)
	}
	l := listen(t, args...)
	if r := l.record(dir, "N1", fbpiStored); r.Events != 1 {
		t.Errorf("%+v", r)
	}
	if status := l.must("/", fbpiBody("N1", "m-1")); status != 200 || l.record(dir, "N1", fbpiStored).Events != 1 {
		t.Error("the sender's repetition is no duplicate any more:", status)
	}
}
