package store

import (
	"cmp"
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

// notificationRecord is how a notification is kept: what may be read by anyone who reads Redis, and one sealed text.
type notificationRecord struct {
	AdapterID     string           `json:"a,omitempty"`
	Reference     string           `json:"r,omitempty"`
	Description   string           `json:"t,omitempty"`
	Version       string           `json:"v,omitempty"`
	Method        string           `json:"m"`
	Scope         scope.Value      `json:"s"`
	Schema        scope.Value      `json:"j,omitzero"`
	ExcludeActors []string         `json:"x,omitempty"`
	Format        string           `json:"f"`
	Options       scope.Value      `json:"o,omitzero"`
	Signing       string           `json:"g,omitempty"`
	Ordering      string           `json:"l"`
	Retry         dispatcher.Retry `json:"y,omitzero"`
	Timeout       int64            `json:"d"` // ns
	ExpiresAfter  int64            `json:"e,omitempty"`
	Created       int64            `json:"c"` // µs: also the order of registration
	Stopped       int64            `json:"p,omitempty"`
	Invoke        bool             `json:"i,omitempty"`
	Handshake     bool             `json:"w,omitempty"`
	ConsentAt     int64            `json:"k,omitempty"`
	ConsentTo     string           `json:"q,omitempty"`
	Sealed        []byte           `json:"z"`
}

// sealedPart holds what only the holder of a sealing key may read. The URL is in it for the tokens in its query.
type sealedPart struct {
	URL     string      `json:"u"`
	Headers [][2]string `json:"h,omitempty"`
	// The current secret, and those before it.
	Secret string        `json:"s,omitempty"`
	Mark   string        `json:"m,omitempty"`
	Older  []olderSecret `json:"o,omitempty"`
}

type olderSecret struct {
	Secret string `json:"s"`
	Mark   string `json:"m,omitempty"`
	Until  int64  `json:"u"` // ms
}

func (p *sealedPart) putSecrets(secrets []dispatcher.SigningSecret) {
	for i, s := range secrets {
		if i == 0 {
			p.Secret, p.Mark = s.Secret.Reveal(), s.Mark
			continue
		}
		p.Older = append(p.Older, olderSecret{s.Secret.Reveal(), s.Mark, millis(s.Until)})
	}
}

func (p sealedPart) secrets() (all []dispatcher.SigningSecret) {
	if p.Secret == "" {
		return nil
	}
	all = append(all, dispatcher.SigningSecret{Secret: dispatcher.Secret(p.Secret), Mark: p.Mark})
	for _, o := range p.Older {
		all = append(all, dispatcher.SigningSecret{Secret: dispatcher.Secret(o.Secret), Mark: o.Mark, Until: fromMillis(o.Until)})
	}
	return all
}

func sealPlace(ref dispatcher.OrderRef, id string) string {
	return "notification:" + ref.Merchant + ":" + ref.OrderID + "/" + id
}

func (s *Store) encodeNotification(ref dispatcher.OrderRef, n dispatcher.Notification) ([]byte, error) {
	part := sealedPart{URL: n.URL}
	part.putSecrets(n.Secrets)
	for _, h := range n.Headers {
		part.Headers = append(part.Headers, [2]string{h.Name, h.Value.Reveal()})
	}
	plain, err := marshal(part)
	if err != nil {
		return nil, err
	}
	rule, schema := n.Scope.JSON()
	return marshal(notificationRecord{
		AdapterID: n.AdapterID, Reference: n.Reference, Description: n.Description, Version: n.Version,
		Method: n.Method, Scope: rule, Schema: schema, ExcludeActors: n.ExcludeActors, Format: n.Format,
		Options: n.Options, Signing: n.Signing, Ordering: string(n.Ordering), Retry: n.Retry,
		Timeout: int64(n.Timeout), ExpiresAfter: int64(n.ExpiresAfter), Created: micros(n.Created),
		Stopped: millis(n.Stopped), Invoke: n.SpelledInvoke, Handshake: n.Handshake,
		ConsentAt: millis(n.Consent.At), ConsentTo: n.Consent.To, Sealed: s.sealer.Seal(plain, sealPlace(ref, n.ID)),
	})
}

func (s *Store) decodeNotifications(ref dispatcher.OrderRef, records map[string]string) ([]dispatcher.Notification, error) {
	all := make([]dispatcher.Notification, 0, len(records))
	for id, text := range records {
		n, err := s.decodeNotification(ref, id, text)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	slices.SortFunc(all, byRegistration)
	return all, nil
}

func byRegistration(a, b dispatcher.Notification) int {
	return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
}

// amendTries bounds how often a note about a notification is tried against others who write the order.
const amendTries = 20

// StopNotification marks a notification as stopped by its target (410): it fires no more until it is replaced. One that
// was replaced meanwhile was not what the target answered to, and is left alone. What is not noted is by the next 410.
func (s *Store) StopNotification(ctx context.Context, ref dispatcher.OrderRef, called dispatcher.Notification) error {
	return s.amend(ctx, ref, called, "stop notification", func(n *dispatcher.Notification) bool {
		stop := n.Stopped.IsZero()
		if stop {
			n.Stopped = s.now()
		}
		return stop
	})
}

// KeepConsent notes that a notification's target has allowed deliveries, unless the notification was replaced meanwhile.
// What is not noted is asked for again.
func (s *Store) KeepConsent(ctx context.Context, ref dispatcher.OrderRef, called dispatcher.Notification, to dispatcher.Consent) error {
	return s.amend(ctx, ref, called, "keep consent", func(n *dispatcher.Notification) bool {
		news := n.Consent.To != to.To
		n.Consent = to
		return news
	})
}

// amend writes what a target said into the notification that it said it to, if edit finds anything to write.
func (s *Store) amend(ctx context.Context, ref dispatcher.OrderRef, called dispatcher.Notification, doing string, edit func(*dispatcher.Notification) bool) error {
	for range amendTries {
		state, err := s.Load(ctx, ref)
		if err != nil {
			return err
		}
		n, ok := state.Notification(called.ID)
		if !ok || !called.SameContent(n) || !n.Created.Equal(called.Created) || !edit(&n) {
			return nil
		}
		_, err = s.Commit(ctx, Commit{State: state, Put: []dispatcher.Notification{n}})
		if !isConflict(err) {
			return err
		}
	}
	return fmt.Errorf("%s %s: %w", doing, called.ID, dispatcher.ErrConflict)
}

// Registered reports whether the delivery's notification still is the one that it is owed to.
func (s *Store) Registered(ctx context.Context, d dispatcher.Delivery) (bool, error) {
	_, registered, err := s.PolicyOf(ctx, d)
	return registered, err
}

// PolicyOf returns the retry policy of the delivery's notification, if that is still registered.
func (s *Store) PolicyOf(ctx context.Context, d dispatcher.Delivery) (policy dispatcher.Retry, registered bool, err error) {
	text, err := s.rdb.HGet(ctx, notificationsKey(d.Ref()), d.NotificationID).Result()
	if errors.Is(err, redis.Nil) {
		return policy, false, nil
	}
	if err != nil {
		return policy, false, unavailable("read notification", err)
	}
	var r notificationRecord
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return dispatcher.Retry{}, false, fmt.Errorf("notification %s: %w", d.NotificationID, err)
	}
	return r.Retry, r.Created == micros(d.Registered), nil
}
