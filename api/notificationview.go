package api

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

// notificationView is a notification as it is read back: values of headers and secrets redacted.
type notificationView struct {
	ID            string                       `json:"id,omitempty"`
	AdapterID     string                       `json:"adapterId,omitempty"`
	Reference     string                       `json:"reference,omitempty"`
	Description   string                       `json:"description,omitempty"`
	URL           string                       `json:"url,omitempty"`
	Invoke        string                       `json:"invoke,omitempty"`
	Method        string                       `json:"method"`
	Headers       map[string]dispatcher.Secret `json:"headers,omitempty"`
	Scope         scope.Value                  `json:"scope"`
	Schema        scope.Value                  `json:"schema,omitzero"`
	ExcludeActors []string                     `json:"excludeActors,omitempty"`
	Format        string                       `json:"format"`
	Options       scope.Value                  `json:"options,omitzero"`
	Signing       map[string]string            `json:"signing,omitempty"`
	Ordering      dispatcher.Ordering          `json:"ordering"`
	Retry         dispatcher.Retry             `json:"retry,omitzero"`
	Timeout       dispatcher.Duration          `json:"timeout"`
	ExpiresAfter  dispatcher.Duration          `json:"expiresAfter,omitzero"`
	Version       string                       `json:"version,omitempty"`
	Created       *time.Time                   `json:"created,omitempty"`
	Stopped       *time.Time                   `json:"stopped,omitempty"`
}

func viewNotification(n dispatcher.Notification) notificationView {
	rule, schema := n.Scope.JSON()
	v := notificationView{
		ID: n.ID, AdapterID: n.AdapterID, Reference: n.Reference, Description: n.Description, URL: n.URL,
		Method: n.Method, Scope: rule, Schema: schema, ExcludeActors: n.ExcludeActors, Format: n.Format,
		Options: n.Options, Ordering: n.Ordering, Retry: n.Retry, Timeout: n.Timeout, ExpiresAfter: n.ExpiresAfter,
		Version: n.Version,
	}
	if n.SpelledInvoke {
		v.URL, v.Invoke = "", n.URL
	}
	if len(n.Headers) > 0 {
		v.Headers = map[string]dispatcher.Secret{}
		for _, h := range n.Headers {
			v.Headers[h.Name] = h.Value
		}
	}
	if n.Signing != "" {
		v.Signing = map[string]string{"scheme": n.Signing, "secret": n.SigningSecret.String()}
	}
	if !n.Created.IsZero() {
		v.Created = &n.Created
	}
	if !n.Stopped.IsZero() {
		v.Stopped = &n.Stopped
	}
	return v
}

// value is the view as a Value, to stand within free JSON.
func (v notificationView) value() scope.Value {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // the view holds nothing that cannot be encoded
	}
	value, faults := scope.Parse(text.Bytes(), scope.DefaultLimits)
	if len(faults) > 0 {
		panic(faults)
	}
	return value
}
