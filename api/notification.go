package api

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/sign"
	"github.com/tidings/tidings/dispatcher/wire"
	"github.com/tidings/tidings/scope"
)

// maxURLLength is what the tags of url and invoke say.
const maxURLLength = 2048

// notificationInput is a notification as registered, in Norce's guide form (url) or its OpenAPI form (invoke).
type notificationInput struct {
	ID            string               `json:"id" validate:"omitempty,orderid"`
	URL           string               `json:"url" validate:"max=2048"`
	Invoke        string               `json:"invoke" validate:"max=2048"`
	Method        string               `json:"method" validate:"omitempty,oneof=POST PUT PATCH"`
	Headers       map[string]string    `json:"headers" validate:"max=32"`
	Scope         scope.Value          `json:"scope"`
	Schema        scope.Value          `json:"schema"`
	AdapterID     string               `json:"adapterId" validate:"omitempty,adapterid"`
	Reference     string               `json:"reference" validate:"max=256,plain"`
	Description   string               `json:"description" validate:"max=1024"`
	ExcludeActors []string             `json:"excludeActors" validate:"max=32,unique,dive,adapterid"`
	Format        string               `json:"format"`
	Options       scope.Value          `json:"options"`
	Signing       *signingInput        `json:"signing"`
	Handshake     bool                 `json:"handshake"`
	Ordering      string               `json:"ordering" validate:"omitempty,oneof=strict latest none"`
	Retry         *retryInput          `json:"retry"`
	Timeout       *dispatcher.Duration `json:"timeout"`
	ExpiresAfter  *dispatcher.Duration `json:"expiresAfter"`
	Version       string               `json:"version" validate:"omitempty,oneof=v0 v1"`
	Created       scope.Value          `json:"created"`   // read-only: accepted so that what was read can be written back
	Stopped       scope.Value          `json:"stopped"`   // likewise
	Consented     scope.Value          `json:"consented"` // likewise
}

type retryInput struct {
	MaxAttempts *int                  `json:"maxAttempts" validate:"omitempty,min=1,max=50"`
	Schedule    []dispatcher.Duration `json:"schedule" validate:"max=50"`
}

// readNotification reads one registration and returns every fault of it.
func (s *Server) readNotification(v scope.Value, at scope.Pointer) (dispatcher.Notification, scope.Faults) {
	var in notificationInput
	faults := bind(v, &in, at)
	if v.Kind() != scope.KindObject {
		return dispatcher.Notification{}, faults
	}
	faults = append(faults, check(in, at)...)
	n := dispatcher.Notification{
		ID: in.ID, AdapterID: in.AdapterID, Reference: in.Reference, Description: in.Description, Version: in.Version,
		URL: in.URL + in.Invoke, SpelledInvoke: in.Invoke != "", Method: orElse(in.Method, http.MethodPost),
		ExcludeActors: in.ExcludeActors, Format: orElse(in.Format, dispatcher.FormatNorce), Options: in.Options, Handshake: in.Handshake,
		Ordering: dispatcher.Ordering(orElse(in.Ordering, string(dispatcher.OrderingStrict))),
	}
	var more scope.Faults
	n.Scope, more = scope.ParseScope(in.Scope, in.Schema)
	for _, f := range more {
		faults = append(faults, scope.Fault{Pointer: at.String() + f.Pointer, Detail: f.Detail})
	}
	faults = append(faults, s.urlFaults(in, n.URL, at)...)
	n.Headers, more = readHeaders(in.Headers, at.Child("headers"))
	faults = append(faults, more...)
	faults = append(faults, readSigning(in.Signing, &n, at.Child("signing"))...)
	faults = append(faults, readTimes(in, &n, at)...)
	return n, onePerPointer(append(faults, readFormat(in, &n, at)...))
}

// readFormat checks what depends on the format, and takes its policy where the notification has none of its own.
func readFormat(in notificationInput, n *dispatcher.Notification, at scope.Pointer) (faults scope.Faults) {
	format, err := wire.Lookup(n.Format)
	if err != nil {
		return scope.Faults{{Pointer: at.Child("format").String(), Detail: "expected one of: " + strings.Join(wire.Names(), ", ")}}
	}
	for _, f := range format.CheckOptions(in.Options) {
		faults = append(faults, scope.Fault{Pointer: at.Child("options").String() + f.Pointer, Detail: f.Detail})
	}
	if in.Retry == nil {
		n.Retry = format.Retry()
	}
	if n.Format == dispatcher.FormatFaTPay && !strings.Contains(n.URL, "{") {
		if _, err := sign.FaTPaySignedString(n.Method, n.URL, http.Header{}); err != nil {
			faults = append(faults, scope.Fault{Pointer: at.Child("url").String(), Detail: err.Error()})
		}
	}
	for _, h := range n.Headers {
		name := http.CanonicalHeaderKey(h.Name)
		cloudEvents := n.Format == dispatcher.FormatCloudEvents && (name == "Content-Type" || strings.HasPrefix(name, "Ce-"))
		// Whoever verifies FaTPay's signature takes every such header for a part of what was signed.
		if cloudEvents || n.Format == dispatcher.FormatFaTPay && strings.HasPrefix(name, "X-Fp-") {
			faults = append(faults, scope.Fault{Pointer: at.Child("headers").Child(h.Name).String(), Detail: "is reserved: the format sets it"})
		}
	}
	return faults
}

// onePerPointer keeps the first fault of each place: what has the wrong type need not be missing, too.
func onePerPointer(faults scope.Faults) scope.Faults {
	seen := map[string]bool{}
	return slices.DeleteFunc(faults, func(f scope.Fault) bool {
		again := seen[f.Pointer]
		seen[f.Pointer] = true
		return again
	})
}

// readCallbackURL makes a notification of a member of callback_urls (Probo): every change of the status is told.
func (s *Server) readCallbackURL(v scope.Value, at scope.Pointer) (dispatcher.Notification, scope.Faults) {
	text, ok := v.Text()
	if !ok {
		return dispatcher.Notification{}, scope.Faults{{Pointer: at.String(), Detail: "expected string, got " + v.Kind().String()}}
	}
	anyStatus := scope.Object(scope.Member{Name: "state", Value: scope.Array(scope.String("*"))})
	n, faults := s.readNotification(scope.Object(
		scope.Member{Name: "url", Value: scope.String(text)}, scope.Member{Name: "scope", Value: anyStatus},
		scope.Member{Name: "format", Value: scope.String(dispatcher.FormatProbo)}), scope.Pointer{})
	for i := range faults { // they speak of /url; the URL is the member itself
		faults[i].Pointer = at.String()
	}
	return n, faults
}

func (s *Server) urlFaults(in notificationInput, url string, at scope.Pointer) scope.Faults {
	at = at.Child("url")
	switch {
	case in.URL == "" && in.Invoke == "":
		return scope.Faults{{Pointer: at.String(), Detail: "is required (or invoke, its name in Norce's OpenAPI form)"}}
	case in.URL != "" && in.Invoke != "":
		return scope.Faults{{Pointer: at.String(), Detail: "url and invoke are two names of the same; expected one of them"}}
	case in.Invoke != "":
		at, _ = scope.ParsePointer(strings.TrimSuffix(at.String(), "url") + "invoke")
	}
	if utf8.RuneCountInString(url) > maxURLLength {
		return nil // told already by the tag, and not worth taking apart
	}
	template, err := dispatcher.ParseURLTemplate(url)
	if err == nil {
		if sample, whole := template.Sample(); whole {
			err = s.outbound.CheckURL(sample)
		}
	}
	if err != nil {
		return scope.Faults{{Pointer: at.String(), Detail: err.Error()}}
	}
	return nil
}

// reservedHeaders belong to the connection or to Tidings: whose order it is and what caused the request is told by us, not
// by who registers.
var reservedHeaders = []string{
	"X-Merchant", "X-Channel", "Traceparent", "Tracestate",
	"Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Authenticate",
	"Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Upgrade", "Expect", "Accept-Encoding",
}

func readHeaders(in map[string]string, at scope.Pointer) (headers []dispatcher.Header, faults scope.Faults) {
	seen := map[string]bool{}
	for name, value := range in {
		canonical := http.CanonicalHeaderKey(name)
		pointer := at.Child(name).String()
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			faults = append(faults, scope.Fault{Pointer: pointer, Detail: "is no valid header name"})
		case slices.Contains(reservedHeaders, canonical), strings.HasPrefix(canonical, "Webhook-"),
			strings.HasPrefix(canonical, "X-Tidings-"):
			faults = append(faults, scope.Fault{Pointer: pointer, Detail: "is reserved: Tidings or the connection sets it"})
		case seen[canonical]:
			faults = append(faults, scope.Fault{Pointer: pointer, Detail: "is given twice (header names do not differ by case)"})
		case !httpguts.ValidHeaderFieldValue(value):
			faults = append(faults, scope.Fault{Pointer: pointer, Detail: "has a value with characters that no header may hold"})
		case len(value) > dispatcher.MaxHeaderValueBytes:
			faults = append(faults, scope.Fault{Pointer: pointer,
				Detail: fmt.Sprintf("expected a value of at most %d bytes", dispatcher.MaxHeaderValueBytes)})
		}
		seen[canonical] = true
		headers = append(headers, dispatcher.Header{Name: name, Value: dispatcher.Secret(value)})
	}
	slices.SortFunc(headers, func(a, b dispatcher.Header) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(faults, func(a, b scope.Fault) int { return strings.Compare(a.Pointer, b.Pointer) })
	return headers, faults
}

func readTimes(in notificationInput, n *dispatcher.Notification, at scope.Pointer) (faults scope.Faults) {
	within := func(d dispatcher.Duration, least, most time.Duration, pointer scope.Pointer) {
		if d.D() < least || d.D() > most {
			faults = append(faults, scope.Fault{Pointer: pointer.String(),
				Detail: fmt.Sprintf("expected a duration from %s to %s", dispatcher.Duration(least), dispatcher.Duration(most))})
		}
	}
	n.Timeout = dispatcher.Duration(dispatcher.DefaultTimeout)
	if in.Timeout != nil {
		n.Timeout = *in.Timeout
		within(n.Timeout, 100*time.Millisecond, dispatcher.MaxTimeout, at.Child("timeout"))
	}
	if in.ExpiresAfter != nil {
		n.ExpiresAfter = *in.ExpiresAfter
		within(n.ExpiresAfter, time.Second, dispatcher.MaxExpiresAfter, at.Child("expiresAfter"))
	}
	if in.Retry != nil {
		n.Retry.Schedule = in.Retry.Schedule
		if in.Retry.MaxAttempts != nil {
			n.Retry.MaxAttempts = *in.Retry.MaxAttempts
		}
		for i, d := range in.Retry.Schedule {
			within(d, time.Second, dispatcher.MaxScheduleDelay, at.Child("retry").Child("schedule").Child(strconv.Itoa(i)))
		}
	}
	return faults
}

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
