package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/tidings/tidings/dispatcher/receiver"
)

// listen is a receiver for trying things out. listen_check.go reads the flags, listen_handler.go takes a request through
// its steps: read and verify (package receiver), hold it against what came before (listen_history.go), play a fault
// (listen_faults.go), run noon's flow (listen_fbpi*.go), print (listen_print.go).
type listenCommand struct {
	Port      uint16   `help:"Port on 127.0.0.1; 0 takes a free one." default:"9090"`
	Secret    []string `help:"Verify seals with this secret (whsec_...). Repeatable." sep:"none"`
	PublicKey []string `help:"Verify seals with this public key: whpk_..., or a PEM file with an RSA key (fatpay) or an ed25519 key. Repeatable." sep:"none" placeholder:"KEY|FILE"`
	JSON      bool     `help:"Print one JSON object per line instead of text; the address then goes to standard error."`

	Status     int           `help:"Answer with this status." default:"200"`
	FailFirst  int           `help:"Let the first N requests fail." placeholder:"N"`
	Fail       float64       `help:"Let this share of the requests fail, 0 to 1." placeholder:"SHARE"`
	FailStatus int           `help:"Status of requests that are let fail." default:"503"`
	RetryAfter *uint32       `help:"Ask with every failure not to come back for so many seconds." placeholder:"SECONDS"`
	Delay      time.Duration `help:"Wait so long before answering." placeholder:"DURATION"`
	Hang       bool          `help:"Never answer: wait until the sender gives up."`
	Seed       *uint64       `help:"Make chance repeatable: the same seed lets the same requests fail." placeholder:"N"`

	FBPIBase     string `name:"fbpi-base" help:"Run noon's flow: fetch order and customer of every FBPI event from here, merge and store them in --out." placeholder:"URL"`
	FBPIToken    string `name:"fbpi-token" help:"Bearer token for that (better in the environment)." env:"TIDINGS_FBPI_TOKEN" placeholder:"TOKEN"`
	FBPIMerchant string `name:"fbpi-merchant" help:"X-Merchant for that; not needed with a token that speaks for one merchant." placeholder:"MERCHANT"`
	FBPITries    int    `name:"fbpi-tries" help:"How often to ask for an order or a customer that is not available." default:"8" placeholder:"N"`
	Out          string `help:"Directory for what noon's flow stores: a file per order, and beside it how far it is." placeholder:"DIR"`
}

// Run receives and prints until the context ends.
func (c listenCommand) Run(ctx context.Context, out output) error {
	verifier, err := c.check()
	if err != nil {
		return usageError{fmt.Errorf("the flags have faults:\n%w", err)}
	}
	printer := &arrivalPrinter{to: out.Out, json: c.JSON}
	handler := &arrivalHandler{
		verifier: verifier, faults: newFaults(c), history: newHistory(), printer: printer, now: time.Now,
	}
	if c.FBPIBase != "" {
		if handler.flow, err = openFBPIFlow(c.fbpiConfig(printer)); err != nil {
			return err
		}
		handler.flow.resume(ctx)
		defer handler.flow.close()
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", c.Port))
	if err != nil {
		return err
	}
	greet := out.Out
	if c.JSON {
		greet = out.Err
	}
	fmt.Fprintf(greet, "listening on http://%s\n", listener.Addr())
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// fbpiConfig takes flags that check has passed.
func (c listenCommand) fbpiConfig(printer *arrivalPrinter) fbpiConfig {
	return fbpiConfig{
		Base: c.FBPIBase, Token: c.FBPIToken, Merchant: c.FBPIMerchant, Tries: c.FBPITries, Dir: c.Out,
		Chance: newChance(c.Seed), Report: printer.fbpi, Now: time.Now,
	}
}

// keysOf adds every key of the flags to the verifier and returns what is wrong with them.
func (c listenCommand) keysOf(v *receiver.Verifier) (faults []error) {
	for i, secret := range c.Secret {
		if err := addSecret(v, secret); err != nil {
			faults = append(faults, fmt.Errorf("--secret (%d of %d): %w", i+1, len(c.Secret), err))
		}
	}
	for i, key := range c.PublicKey {
		if err := addPublicKey(v, key); err != nil {
			faults = append(faults, fmt.Errorf("--public-key (%d of %d): %w", i+1, len(c.PublicKey), err))
		}
	}
	return faults
}
