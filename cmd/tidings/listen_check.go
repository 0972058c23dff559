package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/tidings/tidings/dispatcher/receiver"
	"github.com/tidings/tidings/dispatcher/sign"
)

// check returns the keys of the flags, or every fault of the flags and of their combinations at once.
func (c listenCommand) check() (v receiver.Verifier, err error) {
	faults := c.keysOf(&v)
	bad := func(when bool, format string, args ...any) {
		if when {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	final := func(status int) bool { return status >= 200 && status <= 599 }
	bad(!final(c.Status), "--status: %d is no final status (200 to 599)", c.Status)
	bad(!final(c.FailStatus) || succeeds(c.FailStatus), "--fail-status: %d is no failure (300 to 599)", c.FailStatus)
	bad(c.FailFirst < 0, "--fail-first: %d is less than 0", c.FailFirst)
	bad(c.Fail < 0 || c.Fail > 1, "--fail: %v is no share (0 to 1)", c.Fail)
	bad(c.Delay < 0 || c.Delay > time.Hour, "--delay: %s is not from 0 to 1h", c.Delay)
	bad(c.FBPITries < 1 || c.FBPITries > 100, "--fbpi-tries: %d is not from 1 to 100", c.FBPITries)

	fails := c.Fail > 0 || c.FailFirst > 0
	always := final(c.Status) && !succeeds(c.Status)
	bad(always && fails, "--status %d fails always: leave out --fail and --fail-first", c.Status)
	bad(c.FailStatus != http.StatusServiceUnavailable && !fails, "--fail-status: needs --fail or --fail-first")
	bad(c.RetryAfter != nil && !always && !fails, "--retry-after: goes with a failure only; add --fail, --fail-first or a --status that fails")
	bad(c.Hang && (fails || always || c.Delay > 0), "--hang never answers: leave out --status, --fail, --fail-first and --delay")
	bad(c.Seed != nil && c.Fail == 0 && c.FBPIBase == "", "--seed: nothing here is left to chance; add --fail or --fbpi-base")
	return v, errors.Join(append(faults, c.checkFBPI(always)...)...)
}

func (c listenCommand) checkFBPI(always bool) (faults []error) {
	if c.FBPIBase == "" {
		for flag, value := range map[string]string{"fbpi-token": c.FBPIToken, "fbpi-merchant": c.FBPIMerchant, "out": c.Out} {
			if value != "" {
				faults = append(faults, fmt.Errorf("--%s: goes with --fbpi-base only", flag))
			}
		}
		return faults
	}
	if base, err := url.Parse(c.FBPIBase); err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" ||
		base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		faults = append(faults, errors.New("--fbpi-base: expected http:// or https://, a host and at most a path"))
	}
	if c.Out == "" {
		faults = append(faults, errors.New("--out: is needed with --fbpi-base, which stores there"))
	}
	if c.Hang || always {
		faults = append(faults, errors.New("--fbpi-base: nothing would ever be fetched with --hang or a --status that fails"))
	}
	return faults
}

func succeeds(status int) bool { return status >= 200 && status <= 299 }

func addSecret(v *receiver.Verifier, text string) error {
	if err := sign.CheckSecret(text); err != nil {
		return err
	}
	return v.AddKey(text)
}

// addPublicKey takes a key, or the path of a file with one.
func addPublicKey(v *receiver.Verifier, text string) error {
	if strings.HasPrefix(text, "whsec_") {
		return errors.New("it is a secret: give it to --secret")
	}
	if strings.HasPrefix(text, "whpk_") || strings.HasPrefix(text, "whsk_") {
		return v.AddKey(text)
	}
	pem, err := os.ReadFile(text)
	if err != nil {
		return fmt.Errorf("neither whpk_... nor a file that can be read: %w", err)
	}
	if _, err := sign.ParsePublicPEM(pem); err != nil { // a file is PEM; AddKey alone would take a secret from it, too
		return fmt.Errorf("%s: %w", text, err)
	}
	return v.AddKey(string(pem))
}
