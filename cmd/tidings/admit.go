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
	admitTimeout = 2 * time.Second
	admitPause   = 200 * time.Millisecond
)

// admit refuses to start with sealing keys that do not read what is stored. While Redis is away it goes on asking beside
// the work, of which there is none without Redis.
func (s *service) admit(ctx context.Context, st *store.Store) error {
	ask := func() error {
		try, cancel := context.WithTimeout(ctx, admitTimeout)
		defer cancel()
		return st.Admit(try)
	}
	err := ask()
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
			err = ask()
		}
		if err != nil && ctx.Err() == nil {
			s.refused <- err
		}
	}()
	return nil
}
