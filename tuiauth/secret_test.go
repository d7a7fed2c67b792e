package tuiauth

import (
	"bytes"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// leaks reports whether text shows the dummy token in a form that a verb or an
// encoder could give it.
func leaks(text string) bool {
	low := strings.ToLower(text)
	for _, form := range []string{
		dummy,
		hex.EncodeToString([]byte(dummy)),
		fmt.Sprintf("% x", []byte(dummy)),
		strings.Trim(fmt.Sprint([]byte(dummy)), "[]"),
	} {
		if strings.Contains(low, form) {
			return true
		}
	}
	return false
}

func TestSecretIsNotPrinted(t *testing.T) {
	is := is.New(t)
	is.True(leaks(fmt.Sprintf("%X", dummy)) && leaks(fmt.Sprintf("%q", dummy)) && leaks(fmt.Sprintf("%d", []byte(dummy)))) // the check can fail

	s := Secret(dummy)
	type config struct {
		Token  Secret
		Tokens []Secret
		Next   *Secret
	}
	c := config{s, []Secret{s}, &s}
	for _, verb := range "vsqxXdTbcoUeEfFgGt!" {
		for _, flag := range []string{"", "+", "#", " ", "-40", "040", ".3"} {
			format := "%" + flag + string(verb)
			for _, v := range []any{s, &s, c, &c, []any{s}, map[string]Secret{"k": s}, map[Secret]int{s: 1}, [1]Secret{s}} {
				if got := fmt.Sprintf(format, v); leaks(got) {
					t.Errorf("%s of %T prints %q", format, v, got)
				}
			}
		}
	}
	is.Equal(fmt.Sprint(s), redacted)
	is.Equal(fmt.Sprintf("%s|%q|%x", s, s, s), redacted+"|"+redacted+"|"+redacted)
	is.Equal(fmt.Sprintf("<%v>", Secret("")), "<>")
	is.True(!leaks(fmt.Errorf("token %v: %w", s, errors.ErrUnsupported).Error()))
	is.Equal(s.Reveal(), dummy)
}

func TestSecretIsNotLoggedOrEncoded(t *testing.T) {
	is := is.New(t)
	s := Secret(dummy)
	type config struct {
		Token Secret
		Omit  Secret `json:",omitempty"`
	}
	var b bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(h).Info("m", "token", s, "pointer", &s, "config", config{Token: s}, "list", []Secret{s}, slog.Group("g", "t", s))
	}
	is.True(!leaks(b.String()))
	is.True(strings.Contains(b.String(), redacted))

	out, err := json.Marshal(map[string]any{"a": s, "b": &s, "c": config{Token: s}})
	is.NoErr(err)
	is.Equal(string(out), `{"a":"[redacted]","b":"[redacted]","c":{"Token":"[redacted]"}}`)
	out, err = xml.Marshal(config{Token: s})
	is.NoErr(err)
	is.True(!leaks(string(out)))
	out, err = encoding.TextMarshaler(s).MarshalText()
	is.NoErr(err)
	is.Equal(string(out), redacted)
}
