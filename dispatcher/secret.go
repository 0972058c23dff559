package dispatcher

import "log/slog"

// Redacted is what every secret prints as.
const Redacted = "******"

// Secret is a header value or signing secret. It prints itself redacted in fmt, JSON, YAML and slog; only Reveal
// gives the text, so a search for Reveal finds every place where a secret can leave.
type Secret string

// Reveal returns the secret text.
func (s Secret) Reveal() string { return string(s) }

// String implements fmt.Stringer.
func (s Secret) String() string { return Redacted }

// GoString implements fmt.GoStringer, so that %#v does not print it either.
func (s Secret) GoString() string { return `"` + Redacted + `"` }

// MarshalText implements encoding.TextMarshaler, which JSON and YAML encoders use.
func (s Secret) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(Redacted) }
