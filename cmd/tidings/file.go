package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// configFile is the optional YAML file: every flag of serve by its name, and what no flag can say.
type configFile struct {
	Listen         string      `yaml:"listen"`
	Role           string      `yaml:"role"`
	RedisURL       string      `yaml:"redis-url"`
	DataDir        string      `yaml:"data-dir"`
	DevToken       string      `yaml:"dev-token"`
	AllowTarget    []string    `yaml:"allow-target"`
	AllowPlainHTTP *bool       `yaml:"allow-plain-http"`
	WebhookOrigin  string      `yaml:"webhook-origin"`
	CAFile         string      `yaml:"ca-file"`
	SealingKey     keyList     `yaml:"sealing-key"`
	Retention      string      `yaml:"retention"`
	Concurrency    *int        `yaml:"concurrency"`
	Servers        *int        `yaml:"servers"`
	Sweep          *bool       `yaml:"sweep"`
	RateLimit      *int        `yaml:"rate-limit"`
	RateBurst      *int        `yaml:"rate-burst"`
	TrustedProxy   []string    `yaml:"trusted-proxy"`
	StopDelay      string      `yaml:"stop-delay"`
	LogLevel       string      `yaml:"log-level"`
	LogFormat      string      `yaml:"log-format"`
	Tokens         []fileToken `yaml:"tokens"`

	ClientCertificates []fileCertificate `yaml:"client-certificates"`
	Merchants          []fileMerchant    `yaml:"merchants"`
}

type fileToken struct {
	Name      string   `yaml:"name"`
	Hash      string   `yaml:"hash"` // sha256:<hex>
	Merchants []string `yaml:"merchants"`
	Role      string   `yaml:"role"`
}

// fileError is a configuration file that cannot be read.
type fileError struct{ error }

// Error implements error.
func (e fileError) Error() string { return "--config: " + e.error.Error() }

func (e fileError) Unwrap() error { return e.error }

// readConfigFile reads the file; the error is a fileError and names every fault that YAML finds.
func readConfigFile(path string) (configFile, error) {
	var file configFile
	if path == "" {
		return file, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return file, fileError{err}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	err = decoder.Decode(&file)
	var faults *yaml.TypeError
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return file, nil
	case errors.As(err, &faults):
		return file, fileError{fmt.Errorf("%s:\n%s", path, unknownKey.ReplaceAllString(strings.Join(faults.Errors, "\n"), "unknown key $1"))}
	}
	return file, fileError{fmt.Errorf("%s: %w", path, err)}
}

// unknownKey is how YAML tells one: by the name of our type.
var unknownKey = regexp.MustCompile(`field (\S+) not found in type \S+`)

// under tells the faults of an entry of the file, each with where it stands.
func under(entry string, faults []error) (placed []error) {
	for _, fault := range faults {
		placed = append(placed, fmt.Errorf("%s.%w", entry, fault))
	}
	return placed
}

// value returns what the file says for a flag, spelled as on the command line; "" when it says nothing.
func (f configFile) value(flag string) string {
	whole := func(n *int) string {
		if n == nil {
			return ""
		}
		return fmt.Sprint(*n)
	}
	switch flag {
	case "listen":
		return f.Listen
	case "role":
		return f.Role
	case "redis-url":
		return f.RedisURL
	case "data-dir":
		return f.DataDir
	case "dev-token":
		return f.DevToken
	case "allow-target":
		return strings.Join(f.AllowTarget, ",")
	case "allow-plain-http":
		if f.AllowPlainHTTP != nil {
			return fmt.Sprint(*f.AllowPlainHTTP)
		}
	case "ca-file":
		return f.CAFile
	case "sweep":
		if f.Sweep != nil {
			return fmt.Sprint(*f.Sweep)
		}
	case "webhook-origin":
		return f.WebhookOrigin
	case "sealing-key":
		return strings.Join(f.SealingKey, ",")
	case "retention":
		return f.Retention
	case "concurrency":
		return whole(f.Concurrency)
	case "servers":
		return whole(f.Servers)
	case "rate-limit":
		return whole(f.RateLimit)
	case "rate-burst":
		return whole(f.RateBurst)
	case "trusted-proxy":
		return strings.Join(f.TrustedProxy, ",")
	case "stop-delay":
		return f.StopDelay
	case "log-level":
		return f.LogLevel
	case "log-format":
		return f.LogFormat
	}
	return ""
}

// sharedFlags of tools say what they say of serve.
var sharedFlags = []string{"redis-url", "data-dir", "sealing-key"}

// fileResolver lets flags of serve, and those that tools share with it, come from the file when they are neither on the
// command line nor in the environment.
func fileResolver() kong.ResolverFunc {
	var file *configFile
	return func(ctx *kong.Context, path *kong.Path, flag *kong.Flag) (any, error) {
		if path.Command == nil || path.Command.Name != "serve" && !slices.Contains(sharedFlags, flag.Name) {
			return nil, nil
		}
		for _, name := range flag.Envs { // none that is empty
			if _, set := os.LookupEnv(name); set {
				return nil, nil
			}
		}
		if file == nil {
			read, err := readConfigFile(configPath(ctx))
			if err != nil {
				return nil, err
			}
			file = &read
		}
		if value := file.value(flag.Name); value != "" {
			return value, nil
		}
		return nil, nil
	}
}

// configPath is --config as given on the command line or in the environment; it is asked for before kong has put the
// flags into their places.
func configPath(ctx *kong.Context) string {
	for _, flag := range ctx.Model.Flags {
		if flag.Name == "config" {
			path, _ := ctx.FlagValue(flag).(string)
			return path
		}
	}
	return ""
}
