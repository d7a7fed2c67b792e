package tuiauth

import (
	"fmt"
	"io"
	"log/slog"
)

// A Secret is a string that is not shown. Package fmt, slog, encoding/json and
// whatever else asks for text get "[redacted]", or nothing if it is empty, so
// that a log tells a missing token from one that is there.
//
// The methods can't help where a printer does not call them. Package fmt prints
// an unexported field of a struct as the string that it is, and so it does with
// %p and %w, which go vet reports; encoding/json prints a map key. Keep a Secret
// in exported fields and variables, and convert it or call Reveal only where the
// value itself has to go.
type Secret string

const redacted = "[redacted]"

// Reveal returns the value.
func (s Secret) Reveal() string { return string(s) }

// String returns "[redacted]", or nothing for an empty Secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// Format writes what String returns, whatever the verb: %d would otherwise get
// past String.
func (s Secret) Format(f fmt.State, verb rune) { io.WriteString(f, s.String()) }

// LogValue is String for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String for encoders. There is no way back: what was marshalled
// is lost.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON is String as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(quote(s.String())), nil }
