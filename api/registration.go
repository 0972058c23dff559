package api

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

// registration is what registering changes.
type registration struct {
	put     []dispatcher.Notification
	secrets []generatedSecret // to be told once
}

// registerAll decides what registering the wanted notifications changes: what is there already is left or replaced,
// what is new gets an id. Nothing is half-registered: one fault refuses all. Those of configurations come first; they
// have no faults, and no place in the request.
func registerAll(registered, configured, requested []dispatcher.Notification, now time.Time) (registration, error) {
	if len(configured) == 0 && len(requested) == 0 {
		return registration{}, nil
	}
	all := dispatcher.NewRegistrations(slices.Clone(registered))
	var put []dispatcher.Notification
	isPut := map[string]bool{} // by id
	var faults scope.Faults
	generated := map[string]dispatcher.Secret{} // by the notification's id
	said := map[string]bool{}                   // ids that this request has spoken of
	for i, n := range slices.Concat(configured, requested) {
		at := scope.Pointer{}.Child("notifications").Child(strconv.Itoa(i - len(configured)))
		same := all.Find(n)
		if same < 0 {
			n, found := renew(n, dispatcher.Notification{}, at)
			faults = append(faults, found...)
			n, fresh := withSecret(n, "")
			// Created is the order of registration, too: those of one request are a microsecond apart.
			n.Created = now.Add(time.Duration(i) * time.Microsecond)
			if n.ID == "" {
				n.ID = dispatcher.NewID(n.Created)
			}
			said[n.ID] = i >= len(configured)
			if fresh {
				generated[n.ID] = n.CurrentSecret()
			}
			all.Add(n)
			put, isPut[n.ID] = append(put, n), true
			continue
		}
		old := all.All()[same]
		n, found := renew(n, old, at)
		faults = append(faults, found...)
		n, fresh := withSecret(n, "")
		if fresh {
			generated[n.ID] = n.CurrentSecret()
		}
		if said[n.ID] && !n.SameContent(old) {
			faults = append(faults, scope.Fault{Pointer: at.String(), Detail: "another of these is the same notification (by id, or adapterId and reference), and says otherwise"})
		}
		said[n.ID] = said[n.ID] || i >= len(configured)
		if !n.SameContent(old) {
			all.Replace(same, n)
			if isPut[n.ID] { // twice in one request
				put = slices.DeleteFunc(put, func(p dispatcher.Notification) bool { return p.ID == n.ID })
			}
			put, isPut[n.ID] = append(put, n), true
		}
	}
	if len(faults) > 0 {
		return registration{}, invalid(faults)
	}
	if err := fit(all.All(), "/notifications"); err != nil {
		return registration{}, err
	}
	r := registration{put: put}
	for _, n := range put {
		if secret, ok := generated[n.ID]; ok && secret == n.CurrentSecret() { // not replaced by another of the same request
			r.secrets = append(r.secrets, generatedSecret{n.ID, n.Signing, secret.Reveal()})
		}
	}
	return r, nil
}

// fit refuses more notifications on one order than every change of it can read and keep.
func fit(all []dispatcher.Notification, at string) error {
	size := 0
	for _, n := range all {
		size += n.Bytes()
	}
	switch {
	case len(all) > dispatcher.MaxNotifications:
		return fault(at, fmt.Sprintf("an order holds at most %d notifications", dispatcher.MaxNotifications))
	case size > dispatcher.MaxRegisteredBytes:
		return fault(at, fmt.Sprintf("the notifications of an order hold at most %d bytes together, these would be %d", dispatcher.MaxRegisteredBytes, size))
	}
	return nil
}

// renew gives a notification the identity of the one that it replaces, and fills secrets that were read back redacted
// with those that are registered.
func renew(n, old dispatcher.Notification, at scope.Pointer) (dispatcher.Notification, scope.Faults) {
	n, faults := keepHeaders(n, old, at)
	n, found := keepSecrets(n, old, at)
	faults = append(faults, found...)
	if n.URL == old.URL && n.Handshake { // another URL has to be asked anew
		n.Consent = old.Consent
	}
	if old.ID != "" {
		n.ID, n.Created = old.ID, old.Created
	}
	return n, faults
}

// keepHeaders puts the registered values in the place of redacted ones. Who may register is not shown them, and must not
// have them sent to a place of his choosing either: they stand for nothing where another target is called. (A signing
// secret is never sent, and stays.)
func keepHeaders(n, old dispatcher.Notification, at scope.Pointer) (dispatcher.Notification, scope.Faults) {
	if !slices.ContainsFunc(n.Headers, isRedacted) {
		return n, nil
	}
	if old.URL != "" && !sameCredentials(n, old, scope.Value{}, scope.Value{}) {
		return n, headersElsewhere(n, at)
	}
	var faults scope.Faults
	n.Headers = slices.Clone(n.Headers)
	for i, h := range n.Headers {
		if !isRedacted(h) {
			continue
		}
		j := slices.IndexFunc(old.Headers, func(o dispatcher.Header) bool { return strings.EqualFold(o.Name, h.Name) })
		if j < 0 {
			faults = append(faults, scope.Fault{Pointer: at.Child("headers").Child(h.Name).String(), Detail: "is redacted, and no value is registered that it could stand for"})
			continue
		}
		n.Headers[i].Value = old.Headers[j].Value
	}
	return n, faults
}

func isRedacted(h dispatcher.Header) bool { return h.Value.Reveal() == dispatcher.Redacted }

// sameCredentials reports whether the headers of both are meant for the same target. is and was are the documents of the
// configuration that they refer to; absent where it is not at hand.
func sameCredentials(n, old dispatcher.Notification, is, was scope.Value) bool {
	target := n.CredentialsFor(is)
	return target != "" && target == old.CredentialsFor(was)
}

// headersElsewhere refuses redacted headers whose values were meant for another target.
func headersElsewhere(n dispatcher.Notification, at scope.Pointer) (faults scope.Faults) {
	for _, h := range n.Headers {
		if isRedacted(h) {
			faults = append(faults, scope.Fault{Pointer: at.Child("headers").Child(h.Name).String(),
				Detail: "is redacted, and its value was registered for another target (scheme, host and port) than is called now; give the value again"})
		}
	}
	return faults
}
