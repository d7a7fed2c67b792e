package tuiauth

import (
	"fmt"
	"io"
	"log/slog"
)

// A Secret is a string that is not shown. Packages fmt, slog and encoding/json, and
// every other package that asks for text, get "[redacted]". For an empty Secret they
// get an empty string, so a log tells a missing token from a present one.
//
// The methods do not help where a printer does not call them:
//   - Package fmt prints an unexported field of a struct as a plain string.
//   - The verbs %p and %w of fmt print it, which go vet reports.
//   - Package encoding/json prints a map key.
//
// Keep a Secret in exported fields and in variables. Convert it or call Reveal only
// where the value itself is needed.
type Secret string

const redacted = "[redacted]"

// Reveal returns the value.
func (s Secret) Reveal() string { return string(s) }

// String returns "[redacted]", or "" for an empty Secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString returns what String returns.
func (s Secret) GoString() string { return s.String() }

// Format writes what String returns, whatever the verb. Without Format, %d would
// print the value.
func (s Secret) Format(f fmt.State, verb rune) { io.WriteString(f, s.String()) }

// LogValue returns what String returns, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns what String returns, for encoders. The value can't be
// restored from the result.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON returns what String returns, as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(quote(s.String())), nil }
