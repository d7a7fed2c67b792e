package fakeagent

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

const someID = "11111111-1111-4111-8111-111111111111"

func TestArguments(t *testing.T) {
	for _, tt := range []struct {
		in   string // separated by spaces; "''" is an empty argument
		want options
		err  string
	}{
		{in: "", want: options{}},
		{in: "--version", want: options{version: true}},
		{in: "--session-id " + someID + " --model m hello", want: options{session: someID, model: "m", prompt: "hello"}},
		{in: "--settings=f --resume=" + someID, want: options{settings: "f", resume: someID}},
		{in: "--tools '' -- -hello", want: options{prompt: "-hello"}},
		{in: "--tools A B hello", want: options{}}, // swallowed: it takes several values
		{in: "--nosuch", err: "error: unknown option '--nosuch'"},
		{in: "--model", err: "error: option '--model' argument missing"},
		{in: "--session-id x", err: "Error: Invalid session ID. Must be a valid UUID."},
	} {
		t.Run(tt.in, func(t *testing.T) {
			is := is.New(t)
			args := strings.Fields(tt.in)
			for i := range args {
				if args[i] == "''" {
					args[i] = ""
				}
			}
			got, err := parseArgs(args)
			if tt.err != "" {
				is.True(err != nil)
				is.Equal(err.Error(), tt.err)
				return
			}
			is.NoErr(err)
			is.Equal(got, tt.want)
		})
	}
}
