package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

const (
	admitTimeout = 2 * time.Second        // before the start
	admitLonger  = time.Minute            // beside the work: a large store without a list of keys takes long to look at
	admitPause   = 200 * time.Millisecond // then again
)

// admit refuses to start with sealing keys that do not read what is stored. While Redis is away it goes on asking beside
// the work, of which there is none without Redis.
func (s *service) admit(ctx context.Context, st *store.Store) error {
	ask := func(patience time.Duration) error {
		try, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return st.Admit(try)
	}
	err := ask(admitTimeout)
	var foreign *store.ForeignKeysError
	switch {
	case errors.As(err, &foreign) && s.set.redis == nil:
		return fmt.Errorf("%s: %w", keyFile(s.set.dataDir), err)
	case !errors.Is(err, dispatcher.ErrUnavailable):
		return err
	}
	s.log.Warn("sealing.not_checked", "error", err, "then", "again")
	go func() {
		for errors.Is(err, dispatcher.ErrUnavailable) && ctx.Err() == nil {
			<-time.After(admitPause)
			err = ask(admitLonger)
		}
		if err != nil && ctx.Err() == nil {
			s.refused <- err
		}
	}()
	return nil
}
