package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// SigningKey returns a merchant's private key of a kind ("rsa", "ed25519"), made by generate on first use and kept sealed. Of two
// processes that make one at the same time, both get the one that was kept.
func (s *Store) SigningKey(ctx context.Context, merchant, kind string, generate func() ([]byte, error)) ([]byte, error) {
	key, place := signingKeysKey(merchant), signingKeyPlace(merchant, kind)
	sealed, err := s.rdb.HGet(ctx, key, kind).Bytes()
	if errors.Is(err, redis.Nil) {
		fresh, err := generate()
		if err != nil {
			return nil, fmt.Errorf("make signing key: %w", err)
		}
		if err := s.rdb.HSetNX(ctx, key, kind, s.sealer.Seal(fresh, place)).Err(); err != nil {
			return nil, unavailable("keep signing key", err)
		}
		sealed, err = s.rdb.HGet(ctx, key, kind).Bytes()
		if err != nil {
			return nil, unavailable("read signing key", err)
		}
		return s.openSigningKey(sealed, place)
	}
	if err != nil {
		return nil, unavailable("read signing key", err)
	}
	return s.openSigningKey(sealed, place)
}

func signingKeyPlace(merchant, kind string) string { return "signing-key:" + merchant + "/" + kind }

func (s *Store) openSigningKey(sealed []byte, place string) ([]byte, error) {
	plain, err := s.sealer.Open(sealed, place)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	return plain, nil
}
