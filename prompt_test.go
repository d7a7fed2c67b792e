package tuiturn

import (
	"errors"
	"testing"
)

func TestCheckPrompt(t *testing.T) {
	for _, c := range []struct {
		prompt string
		want   error
	}{
		{"", ErrEmptyPrompt},
		{" \t\r\n\u00a0\u3000\u2028", ErrEmptyPrompt},
		{"\u200b\u200d\u2060\ufeff\u00ad\u034f\u3164\ufe0f\U000e0041", ErrEmptyPrompt},
		{"\x1b\x07", ErrEmptyPrompt},
		{"a\x00", ErrInvalidPrompt},
		{"\xff", ErrInvalidPrompt},
		{"a\xed\xa0\x80", ErrInvalidPrompt}, // half a surrogate pair
		{"a\x1b[201~b", ErrInvalidPrompt},
		{"a\u009b201~b", ErrInvalidPrompt},
		{".", nil},
		{"\ue0b0", nil},     // a private character that fonts have
		{"\U0001faea", nil}, // younger than some Unicode tables
		{"a\x1b[200~b", nil},
		{"a\x1b[31mb", nil},
	} {
		if err := checkPrompt(c.prompt); !errors.Is(err, c.want) {
			t.Errorf("checkPrompt(%q) = %v, want %v", c.prompt, err, c.want)
		}
	}
}
