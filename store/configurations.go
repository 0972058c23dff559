package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

// Adapter configurations are kept sealed whole: they are free JSON and may hold credentials.
type configurationRecord struct {
	Active        bool              `json:"a"`
	Document      scope.Value       `json:"d"`
	Notifications []json.RawMessage `json:"n,omitempty"`
	IDs           []string          `json:"i,omitempty"`
}

func configurationPlace(ref dispatcher.OrderRef, adapterID string) string {
	return "configuration:" + ref.Merchant + ":" + ref.OrderID + ":" + adapterID
}

// channelRef addresses a channel as orders are addressed.
func channelRef(merchant, channel string) dispatcher.OrderRef {
	return dispatcher.OrderRef{Merchant: merchant, OrderID: channel}
}

// PutConfiguration stores an adapter's configuration for a channel; created says whether there was none before.
func (s *Store) PutConfiguration(ctx context.Context, merchant, channel string, c dispatcher.Configuration) (created bool, err error) {
	ref := channelRef(merchant, channel)
	r := configurationRecord{Active: c.Active, Document: c.Document}
	for _, n := range c.Notifications {
		text, err := s.encodeNotification(ref, n)
		if err != nil {
			return false, err
		}
		r.Notifications, r.IDs = append(r.Notifications, text), append(r.IDs, n.ID)
	}
	plain, err := marshal(r)
	if err != nil {
		return false, err
	}
	sealed := s.sealer.Seal(plain, configurationPlace(ref, c.AdapterID))
	added, err := s.rdb.HSet(ctx, configurationsKey(merchant, channel), c.AdapterID, sealed).Result()
	return added > 0, unavailable("put configuration", err)
}

// Configuration returns an adapter's configuration, or ErrNotFound.
func (s *Store) Configuration(ctx context.Context, merchant, channel, adapterID string) (dispatcher.Configuration, error) {
	sealed, err := s.rdb.HGet(ctx, configurationsKey(merchant, channel), adapterID).Result()
	if errors.Is(err, redis.Nil) {
		return dispatcher.Configuration{}, fmt.Errorf("configuration %s: %w", adapterID, dispatcher.ErrNotFound)
	}
	if err != nil {
		return dispatcher.Configuration{}, unavailable("read configuration", err)
	}
	return s.openConfiguration(channelRef(merchant, channel), adapterID, sealed)
}

// Configurations returns every configuration of a channel, by adapter id.
func (s *Store) Configurations(ctx context.Context, merchant, channel string) ([]dispatcher.Configuration, error) {
	sealed, err := s.rdb.HGetAll(ctx, configurationsKey(merchant, channel)).Result()
	if err != nil {
		return nil, unavailable("read configurations", err)
	}
	all := make([]dispatcher.Configuration, 0, len(sealed))
	for adapterID, text := range sealed {
		c, err := s.openConfiguration(channelRef(merchant, channel), adapterID, text)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b dispatcher.Configuration) int { return strings.Compare(a.AdapterID, b.AdapterID) })
	return all, nil
}

func (s *Store) openConfiguration(ref dispatcher.OrderRef, adapterID, sealed string) (dispatcher.Configuration, error) {
	c := dispatcher.Configuration{AdapterID: adapterID}
	var r configurationRecord
	plain, err := s.sealer.Open([]byte(sealed), configurationPlace(ref, adapterID))
	if err == nil {
		err = json.Unmarshal(plain, &r)
	}
	if err != nil {
		return c, fmt.Errorf("configuration %s: %w", adapterID, err)
	}
	c.Active, c.Document = r.Active, r.Document
	for i, text := range r.Notifications {
		n, err := s.decodeNotification(ref, r.IDs[i], string(text))
		if err != nil {
			return c, fmt.Errorf("configuration %s: %w", adapterID, err)
		}
		c.Notifications = append(c.Notifications, n)
	}
	return c, nil
}

// DeleteConfiguration removes an adapter's configuration; ErrNotFound when there is none.
func (s *Store) DeleteConfiguration(ctx context.Context, merchant, channel, adapterID string) error {
	removed, err := s.rdb.HDel(ctx, configurationsKey(merchant, channel), adapterID).Result()
	if err != nil {
		return unavailable("delete configuration", err)
	}
	if removed == 0 {
		return fmt.Errorf("configuration %s: %w", adapterID, dispatcher.ErrNotFound)
	}
	return nil
}
