package store

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

// sealedNotification is one version of a notification as it lies in Redis. Its text is sealed with a random nonce: who
// replaces a notification, or seals it anew, writes another text.
type sealedNotification struct {
	ref      dispatcher.OrderRef
	id, text string
}

const (
	openedBytes    = 16 << 20 // of all notifications that are kept opened
	openedEach     = 1 << 10  // about what one has beside its texts
	compiledSchema = 32       // about how many times as large as its text a compiled schema is
)

// decodeNotification reads a notification, opening it only if that was not done lately: whoever has many changes of an
// order, or many deliveries, would open the same text over and over. What is opened stays in memory, never elsewhere.
func (s *Store) decodeNotification(ref dispatcher.OrderRef, id, text string) (dispatcher.Notification, error) {
	key := sealedNotification{ref, id, text}
	n, there := s.opened.get(key, s.now())
	if !there {
		var err error
		if n, err = s.openNotification(ref, id, text); err != nil {
			return n, err
		}
		_, schema := n.Scope.JSON()
		s.opened.put(key, n, openedEach+2*len(text)+compiledSchema*len(schema.JSON()), s.now())
	}
	// The caller may do with it as it likes.
	n.Headers, n.Secrets, n.ExcludeActors = slices.Clone(n.Headers), slices.Clone(n.Secrets), slices.Clone(n.ExcludeActors)
	n.Retry.Schedule = slices.Clone(n.Retry.Schedule)
	return n, nil
}

func (s *Store) openNotification(ref dispatcher.OrderRef, id, text string) (dispatcher.Notification, error) {
	var n dispatcher.Notification
	var r notificationRecord
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return n, fmt.Errorf("notification %s: %w", id, err)
	}
	plain, err := s.sealer.Open(r.Sealed, sealPlace(ref, id))
	if err != nil {
		return n, fmt.Errorf("notification %s: %w", id, err)
	}
	var part sealedPart
	if err := json.Unmarshal(plain, &part); err != nil {
		return n, fmt.Errorf("notification %s: %w", id, err)
	}
	rule, faults := scope.ParseScope(r.Scope, r.Schema)
	if len(faults) > 0 {
		return n, fmt.Errorf("notification %s: %w", id, faults)
	}
	n = dispatcher.Notification{
		ID: id, AdapterID: r.AdapterID, Reference: r.Reference, Description: r.Description, Version: r.Version,
		Method: r.Method, Scope: rule, ExcludeActors: r.ExcludeActors, Format: r.Format, Options: r.Options,
		Signing: r.Signing, Secrets: part.secrets(), Ordering: dispatcher.Ordering(r.Ordering),
		Retry: r.Retry, Timeout: dispatcher.Duration(r.Timeout), ExpiresAfter: dispatcher.Duration(r.ExpiresAfter),
		Created: fromMicros(r.Created), Stopped: fromMillis(r.Stopped), SpelledInvoke: r.Invoke, URL: part.URL,
		Handshake: r.Handshake, Consent: dispatcher.Consent{At: fromMillis(r.ConsentAt), To: r.ConsentTo},
	}
	for _, h := range part.Headers {
		n.Headers = append(n.Headers, dispatcher.Header{Name: h[0], Value: dispatcher.Secret(h[1])})
	}
	return n, nil
}
