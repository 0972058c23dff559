package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

func runFor(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, &out, &err)
	return code, out.String(), err.String()
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tidings.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	config := write(t, "tokens:\n  - {name: a, hash: md5:x, merchants: [], role: king}\n")
	code, _, stderr := runFor(t, "serve", "--config", config, "--listen", "nowhere", "--role", "boss", "--redis-url", "http://user:pass-word@x",
		"--allow-target", "10.0.0.0/99", "--allow-plain-http", "maybe", "--webhook-origin", "a_b.example", "--sealing-key", "short", "--retention", "1s",
		"--concurrency", "0", "--servers", "many", "--log-level", "loud", "--log-format", "xml", "--dev-token", "x",
		"--rate-limit", "fast", "--rate-burst", "0", "--trusted-proxy", "proxy.example", "--stop-delay", "2m")
	if code != 2 {
		t.Errorf("exit status %d, want 2", code)
	}
	for _, part := range []string{"--listen", "--role", "--redis-url", "--allow-target", "--allow-plain-http", "--webhook-origin", "--sealing-key",
		"--retention", "--concurrency", "--servers", "--log-level", "--log-format", "--dev-token", "--rate-limit", "--rate-burst", "--trusted-proxy", "--stop-delay", "tokens[0].hash:", "tokens[0].role:", "tokens[0].merchants:"} {
		if !strings.Contains(stderr, part) {
			t.Errorf("%s is not told in:\n%s", part, stderr)
		}
	}
	if strings.Contains(stderr, "pass-word") {
		t.Error("the password of the URL is told")
	}
}

func TestRefusesToStartForRealWithoutTokensAndKey(t *testing.T) {
	t.Parallel()
	code, _, stderr := runFor(t, "--redis-url", "redis://127.0.0.1:1/0")
	if code != 2 || !strings.Contains(stderr, "tokens:") || !strings.Contains(stderr, "--sealing-key:") {
		t.Errorf("%d %s", code, stderr)
	}
}

func TestUnknownMembersOfTheFile(t *testing.T) {
	t.Parallel()
	config := write(t, "lisen: x\nretentoin: 1h\ntokens:\n  - {nam: a}\n")
	code, _, stderr := runFor(t, "--config", config)
	want := "tidings: --config: " + config + ":\nline 1: unknown key lisen\nline 2: unknown key retentoin\nline 4: unknown key nam\n"
	if code != 2 || stderr != want {
		t.Errorf("%d %s", code, stderr)
	}
}

// What is wrong with the file is not the fault of a flag that might stand in it.
func TestFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	config := write(t, "listen: [")
	for _, args := range [][]string{{"--config", config}, {"--config", config + ".not"}, {"check", "--config", config}} {
		if code, _, stderr := runFor(t, args...); code != 2 || !strings.HasPrefix(stderr, "tidings: --config: ") || !strings.Contains(stderr, config) {
			t.Errorf("%v: %d %s", args, code, stderr)
		}
	}
}

// Command line before environment before file before default.
func TestPrecedence(t *testing.T) {
	config := write(t, "concurrency: 7\nretention: 48h\nservers: 3\n")
	t.Setenv("TIDINGS_RETENTION", "72h")
	t.Setenv("TIDINGS_SERVERS", "5")
	var got settings
	var cli commands
	parsed, err := newParser(&cli, os.Stdout, os.Stderr, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parsed.Parse([]string{"serve", "--config", config, "--servers", "9"}); err != nil {
		t.Fatal(err)
	}
	if got, err = cli.Serve.check(configFile{}); err != nil {
		t.Fatal(err)
	}
	if got.servers != 9 || got.retention != 72*time.Hour || got.concurrency != 7 || got.listen != "127.0.0.1:8080" {
		t.Errorf("servers %d (command line), retention %s (environment), concurrency %d (file), listen %s (default)",
			got.servers, got.retention, got.concurrency, got.listen)
	}
}

// Every flag of serve can stand in the file by its name.
func TestFileKnowsEveryFlag(t *testing.T) {
	t.Parallel()
	inFile := map[string]bool{}
	for i := range reflect.TypeFor[configFile]().NumField() {
		inFile[reflect.TypeFor[configFile]().Field(i).Tag.Get("yaml")] = true
	}
	for _, flag := range serveFlagNames(t) {
		if !inFile[flag] {
			t.Errorf("--%s is not in the file", flag)
		}
		if configFileSample.value(flag) == "" {
			t.Errorf("--%s is in the file but not read from it", flag)
		}
	}
}

var yes, one = true, 1

var configFileSample = configFile{
	Listen: "x", Role: "x", RedisURL: "x", DataDir: "x", DevToken: "x", AllowTarget: []string{"x"}, AllowPlainHTTP: &yes, CAFile: "x",
	WebhookOrigin: "x", SealingKey: keyList{"x"}, Retention: "x", Concurrency: &one, Servers: &one, Sweep: &yes, LogLevel: "x", LogFormat: "x",
	RateLimit: &one, RateBurst: &one, TrustedProxy: []string{"x"}, StopDelay: "x",
}

func serveFlagNames(t testing.TB) (names []string) {
	t.Helper()
	var cli commands
	parser, err := newParser(&cli, os.Stdout, os.Stderr, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range parser.Model.Children {
		if node.Name == "serve" {
			for _, flag := range node.Flags {
				names = append(names, flag.Name)
			}
		}
	}
	if len(names) < 10 {
		t.Fatal("found only", names)
	}
	return names
}

func TestTokenIsLetInByItsEntry(t *testing.T) {
	t.Parallel()
	code, secret, entry := runFor(t, "token", "--name", "erp", "--merchant", "acme", "--role", "merchant")
	if code != 0 {
		t.Fatal(entry)
	}
	var file configFile
	_, text, _ := strings.Cut(entry, "For the configuration file:\n")
	text, key, _ := strings.Cut(text, "A fresh sealing key, if you need one:\n")
	if err := yaml.Unmarshal([]byte(text+key), &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Tokens) != 1 || file.Tokens[0].Hash != hashToken(strings.TrimSpace(secret)) || file.Tokens[0].Role != "merchant" {
		t.Errorf("entry %+v", file.Tokens)
	}
	flags := serveFlags{Listen: "127.0.0.1:0", Role: "all", RedisURL: "redis://localhost", AllowPlainHTTP: "false", WebhookOrigin: "tidings", SealingKey: file.SealingKey,
		Retention: "168h", Concurrency: "1", Servers: "1", Sweep: "true", LogLevel: "info", LogFormat: "text"}
	if _, err := flags.check(file); err != nil {
		t.Error("what token prints is refused:", err)
	}
}

// The compose file names only what exists, and waits as long as we need.
func TestComposeFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Command     []string
			Environment map[string]string
			Grace       string `yaml:"stop_grace_period"`
			Ports       []string
		}
	}
	if err := yaml.Unmarshal(text, &compose); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, flag := range serveFlagNames(t) {
		known["TIDINGS_"+strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))] = true
	}
	published := map[string]string{}
	for _, name := range []string{"redis", "api", "worker", "asynqmon"} {
		service, ok := compose.Services[name]
		if !ok {
			t.Errorf("no service %s", name)
		}
		for variable := range service.Environment {
			if !known[variable] {
				t.Errorf("service %s sets %s, which no flag reads", name, variable)
			}
		}
		for _, port := range service.Ports {
			if at := port[:strings.LastIndex(port, ":")]; !strings.HasPrefix(port, "127.0.0.1:") || published[at] != "" {
				t.Errorf("service %s is published at %s, for everybody or where %s is", name, port, published[at])
			} else {
				published[at] = name
			}
		}
		if name != "api" && name != "worker" {
			continue
		}
		if len(service.Ports) == 0 {
			t.Errorf("nobody can read the metrics of service %s", name)
		}
		if grace, err := time.ParseDuration(service.Grace); err != nil || grace < GracePeriod {
			t.Errorf("service %s is killed after %s, before it has ended (%s)", name, service.Grace, GracePeriod)
		}
		var cli commands
		parser, err := newParser(&cli, os.Stdout, os.Stderr, func(int) {})
		if err != nil {
			t.Fatal(err)
		}
		args := append([]string(nil), service.Command...)
		args[len(args)-1] = write(t, "") // the mounted file
		if _, err := parser.Parse(args); err != nil || cli.Serve.Role != name {
			t.Errorf("service %s: %v %v", name, args, err)
		}
	}
	if redis := strings.Join(compose.Services["redis"].Command, " "); !strings.Contains(redis, "--appendonly yes") || !strings.Contains(redis, "noeviction") {
		t.Error("redis may lose or evict:", redis)
	}
}
