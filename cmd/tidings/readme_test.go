package main

import (
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The README's tour is run as printed, by each shell that readers have and this machine, too, against a Tidings and a
// receiver that were started as it says, and what comes out is compared with what it shows; ids, times and ports may differ.
func TestTourOfTheREADME(t *testing.T) {
	t.Parallel()
	needCommand(t, "curl")
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tour, _ := strings.Cut(string(text), "<!-- tour:")
	tour, _, found := strings.Cut(tour, "<!-- end of tour -->")
	blocks := regexp.MustCompile("(?s)```(sh|json)\n(.*?)```").FindAllStringSubmatch(tour, -1)
	if !found || len(blocks) < 10 {
		t.Fatalf("the README has no tour, or only %d blocks of it", len(blocks))
	}
	if strings.Contains(tour, "tidings()") {
		t.Error("the tour's function hides the binary from who goes on in the same shell")
	}
	for _, shell := range []string{"bash", "zsh"} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			needCommand(t, shell)
			takeTour(t, shell, blocks)
		})
	}
}

// needCommand skips a test for want of a command that .ci/run installs; there it fails.
func needCommand(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("TIDINGS_REQUIRE_REDIS") != "" {
		t.Fatalf("no %s on the PATH", name)
	}
	t.Skipf("no %s on the PATH", name)
}

// takeTour runs the blocks of the tour: a command and what it prints, in turns.
func takeTour(t *testing.T, shell string, blocks [][]string) {
	t.Helper()
	p := start(t, "--data-dir", t.TempDir(), "--dev-token", "dev")
	if strings.Contains(p.stdout.String(), "/orders/1001") {
		t.Error("who tries the greeting's call before the tour gets other versions than it shows")
	}
	out := &lockedBuffer{}
	done := make(chan int, 1)
	go func() { done <- run(t.Context(), []string{"listen", "--port", "0", "--fail-first", "1"}, out, out) }()
	t.Cleanup(func() { <-done })
	p.eventually(func() bool { return strings.Contains(out.String(), "listening on ") })
	line, _, _ := strings.Cut(strings.TrimPrefix(out.String(), "listening on http://"), "\n")
	_, port, err := net.SplitHostPort(line)
	if err != nil {
		t.Fatal(err)
	}
	places := strings.NewReplacer("http://127.0.0.1:8080", p.base, "127.0.0.1:9090", "127.0.0.1:"+port)

	// The first block defines the function that all others use.
	function, first, _ := strings.Cut(blocks[0][2], "\n\n")
	for i := 0; i+1 < len(blocks); i += 2 {
		command, want := places.Replace(blocks[i][2]), mask(places.Replace(blocks[i+1][2]))
		if i == 0 {
			command = places.Replace(first)
		}
		reads := !strings.Contains(command, " -X ") && !strings.Contains(command, " -d ")
		got := mask(lastLine(t, shell, places.Replace(function)+"\n"+command))
		// A reader takes longer than a delivery, so what only reads may be asked until it has happened.
		for deadline := time.Now().Add(10 * time.Second); reads && got != want && time.Now().Before(deadline); {
			got = mask(lastLine(t, shell, places.Replace(function)+"\n"+command))
		}
		if got != want {
			t.Fatalf("%s\ngot  %s\nwant %s", command, got, want)
		}
	}
	for _, part := range []string{"POST /orders?token=x -> 503", "POST /orders?token=x -> 200", "seen before: 1 times", `"total":93.09000000`} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("the receiver did not print %q:\n%s", part, out)
		}
	}
}

// lastLine runs the script and returns the last line that it prints. Neither shell reads what a user has set up for it.
func lastLine(t *testing.T, shell, script string) string {
	t.Helper()
	without := map[string][]string{"bash": {"--norc"}, "zsh": {"--no-rcs"}}[shell]
	text, err := exec.CommandContext(t.Context(), shell, append(without, "-euo", "pipefail", "-c", script)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, text, script)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

var masks = []struct{ pattern, with string }{
	{`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`, "UUID"},
	{`[0-9a-f]{32}`, "ID"},
	{`20\d\d-\d\d-\d\dT[0-9:.]+Z`, "TIME"},
	{`[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} 20\d\d [0-9:]{8} GMT`, "DATE"},
	{`"durationMs":\d+`, `"durationMs":0`},
	{`"webhook-timestamp":"\d+"`, `"webhook-timestamp":"0"`},
}

func mask(text string) string {
	for _, m := range masks {
		text = regexp.MustCompile(m.pattern).ReplaceAllString(text, m.with)
	}
	return strings.TrimSpace(text)
}

// A newcomer finds every route in the README, as openapi.yaml spells it.
func TestREADMENamesEveryRoute(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	description, err := os.ReadFile("../../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	paths := regexp.MustCompile(`(?m)^  (?:/api/v0/checkout)?(/\S+):`).FindAllStringSubmatch(string(description), -1)
	if len(paths) < 20 {
		t.Fatalf("openapi.yaml has %d paths", len(paths))
	}
	for _, path := range paths {
		if !strings.Contains(string(readme), "`"+path[1]+"`") {
			t.Errorf("the README does not name %s", path[1])
		}
	}
}

// The README's configuration is what the file may say, but for the token: nobody's until tidings token makes one.
func TestSampleOfTheREADME(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	samples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(samples) < 2 {
		t.Fatalf("the README has only %d samples of the file", len(samples))
	}
	for _, sample := range samples {
		file, err := readConfigFile(write(t, sample[1]))
		if err != nil {
			t.Errorf("%v in\n%s", err, sample[1])
		}
		for i, token := range file.Tokens {
			if _, faults := token.check(); len(faults) != 1 || !strings.Contains(faults[0].Error(), "tidings token prints") {
				t.Errorf("token %d of the sample lets somebody in, or has other faults: %v", i, faults)
			}
			_, token.Hash = newToken()
			if _, faults := token.check(); len(faults) > 0 {
				t.Errorf("token %d of the sample, with a hash: %v", i, faults)
			}
		}
	}
}
