package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/tidings/tidings/store"
)

type tokenCommand struct {
	Name     string   `help:"Name of the token, for people." default:"token"`
	Merchant []string `help:"Merchants that it speaks for; * for all." default:"*"`
	Role     string   `help:"adapter (writes and reads), merchant (reads and retries) or admin (all)." default:"adapter"`
}

// newToken returns a fresh secret of 256 random bits, and how it is kept.
func newToken() (secret, hash string) {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails (Go 1.24)
	secret = "tdg_" + base64.RawURLEncoding.EncodeToString(raw)
	return secret, hashToken(secret)
}

func hashToken(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Run prints a token once, and the entry of the configuration file that lets it in. The token itself is kept nowhere.
func (t tokenCommand) Run(out output) error {
	secret, hash := newToken()
	entry := fileToken{Name: t.Name, Hash: hash, Merchants: t.Merchant, Role: t.Role}
	if _, faults := entry.check(); len(faults) > 0 {
		return usageError{errors.Join(faults...)}
	}
	fmt.Fprintf(out.Err, "The token, shown only now; its bearer is let in:\n")
	fmt.Fprintf(out.Out, "%s\n", secret)
	fmt.Fprintf(out.Err, "\nFor the configuration file:\n\ntokens:\n  - name: %q\n    hash: %q\n    merchants: %q\n    role: %q\n",
		entry.Name, entry.Hash, entry.Merchants, entry.Role)
	fmt.Fprintf(out.Err, "\nA fresh sealing key, if you need one:\n\nsealing-key: %q\n",
		base64.StdEncoding.EncodeToString(store.NewSealingKey()))
	return nil
}
