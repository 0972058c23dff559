package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
)

// sealedValue is one place in Redis that holds something sealed.
type sealedValue struct {
	kind  byte // of its key: n, g, k or i, see doc.go
	key   string
	field string // "" when the key is a string
	ref   dispatcher.OrderRef
	text  string
}

// sealedKeys matches every key that holds something sealed.
const sealedKeys = "td{s*}:[ngki]:*"

const fieldsPage = 100

// eachSealed calls fn with every sealed value. It reads the whole keyspace in small steps.
func (s *Store) eachSealed(ctx context.Context, fn func(sealedValue) error) error {
	return s.eachKeys(ctx, sealedKeys, func(keys []string) error {
		for _, key := range keys {
			kind, ref, ok := splitKey(key)
			if !ok {
				continue
			}
			if err := s.eachField(ctx, sealedValue{kind: kind, key: key, ref: ref}, fn); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) eachField(ctx context.Context, v sealedValue, fn func(sealedValue) error) error {
	if v.kind == 'i' {
		there, err := s.reread(ctx, &v)
		if err != nil || !there {
			return err
		}
		return fn(v)
	}
	for cursor := uint64(0); ; {
		pairs, next, err := s.rdb.HScan(ctx, v.key, cursor, "", fieldsPage).Result()
		if err != nil {
			return unavailable("scan sealed values", err)
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			v.field, v.text = pairs[i], pairs[i+1]
			if err := fn(v); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// reread reads the value as it is now; false when it is gone.
func (s *Store) reread(ctx context.Context, v *sealedValue) (there bool, err error) {
	if v.kind == 'i' {
		v.text, err = s.rdb.Get(ctx, v.key).Result()
	} else {
		v.text, err = s.rdb.HGet(ctx, v.key, v.field).Result()
	}
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return err == nil, unavailable("read sealed value", err)
}

// resealing opens everything that is sealed in one value and seals it with the key that writes.
type resealing struct {
	sealer *Sealer
	keys   []KeyID // that sealed something of it
}

// key is one that sealed something of the value and is not the one that writes (stale), else the one that writes.
func (r *resealing) key() (key KeyID, stale bool) {
	for _, id := range r.keys {
		if id != r.sealer.writer {
			return id, true
		}
	}
	return r.sealer.writer, false
}

// value returns the value sealed anew.
func (r *resealing) value(v sealedValue) (string, error) {
	switch v.kind {
	case 'n':
		text, err := r.notification(v.ref, v.field, []byte(v.text))
		return string(text), err
	case 'g':
		return r.configuration(v)
	case 'k':
		return r.text(v.text, signingKeyPlace(v.ref.Merchant, v.field))
	case 'i':
		return r.text(v.text, v.key)
	}
	return "", fmt.Errorf("sealed value of unknown kind %q", v.kind)
}

func (r *resealing) open(sealed []byte, place string) ([]byte, error) {
	if id, err := sealedWith(sealed); err == nil {
		r.keys = append(r.keys, id)
	}
	return r.sealer.Open(sealed, place)
}

func (r *resealing) text(sealed, place string) (string, error) {
	plain, err := r.open([]byte(sealed), place)
	if err != nil {
		return "", err
	}
	return string(r.sealer.Seal(plain, place)), nil
}

// members is a record of which only some members are known here: the others are kept as they are, whatever version of
// Tidings wrote them.
type members map[string]json.RawMessage

var errNoRecord = errors.New("not a record") // json's own errors may quote what they met

func (r *resealing) notification(ref dispatcher.OrderRef, id string, text []byte) ([]byte, error) {
	var record members
	var sealed []byte
	if json.Unmarshal(text, &record) != nil || json.Unmarshal(record["z"], &sealed) != nil {
		return nil, errNoRecord
	}
	place := sealPlace(ref, id)
	plain, err := r.open(sealed, place)
	if err != nil {
		return nil, err
	}
	if record["z"], err = marshal(r.sealer.Seal(plain, place)); err != nil {
		return nil, err
	}
	return marshal(record)
}

// configuration seals the notifications in it anew, too.
func (r *resealing) configuration(v sealedValue) (string, error) {
	place := configurationPlace(v.ref, v.field)
	plain, err := r.open([]byte(v.text), place)
	if err != nil {
		return "", err
	}
	var record members
	var within configurationRecord
	if json.Unmarshal(plain, &record) != nil || json.Unmarshal(plain, &within) != nil || len(within.Notifications) != len(within.IDs) {
		return "", errNoRecord
	}
	for i, text := range within.Notifications {
		if within.Notifications[i], err = r.notification(v.ref, within.IDs[i], text); err != nil {
			return "", err
		}
	}
	if len(within.Notifications) > 0 {
		if record["n"], err = marshal(within.Notifications); err != nil {
			return "", err
		}
	}
	if plain, err = marshal(record); err != nil {
		return "", err
	}
	return string(r.sealer.Seal(plain, place)), nil
}
