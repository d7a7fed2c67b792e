package fakeagent

import (
	"fmt"
	"regexp"
	"strings"
)

// options are the command line.
type options struct {
	session, resume, model, settings, system, prompt string
	version                                          bool
}

// A flagKind is how many values a flag takes.
type flagKind int

const (
	flagBool     flagKind = iota
	flagValue             // exactly one
	flagVariadic          // every argument up to the next flag
)

var flagKinds = map[string]flagKind{
	"--version": flagBool, "-v": flagBool, "--strict-mcp-config": flagBool,
	"--session-id": flagValue, "--resume": flagValue, "-r": flagValue, "--model": flagValue,
	"--settings": flagValue, "--effort": flagValue, "--permission-mode": flagValue,
	"--append-system-prompt": flagValue, "--append-system-prompt-file": flagValue, "--setting-sources": flagValue,
	"--tools": flagVariadic, "--allowedTools": flagVariadic, "--disallowedTools": flagVariadic,
	"--mcp-config": flagVariadic, "--add-dir": flagVariadic,
}

var uuidPattern = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// parseArgs reads the arguments after the program's name. Its errors are worded
// as 2.1.104 words them.
func parseArgs(args []string) (options, error) {
	var o options
	var words []string
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			words = append(words, args...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			words = append(words, arg)
			continue
		}
		name, value, inline := strings.Cut(arg, "=")
		kind, ok := flagKinds[name]
		if !ok {
			return o, fmt.Errorf("error: unknown option '%s'", arg)
		}
		switch kind {
		case flagValue:
			if !inline {
				if len(args) == 0 {
					return o, fmt.Errorf("error: option '%s' argument missing", name)
				}
				value, args = args[0], args[1:]
			}
		case flagVariadic:
			for !inline && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
				args = args[1:]
			}
		}
		switch name {
		case "--version", "-v":
			o.version = true
		case "--session-id":
			o.session = value
		case "--resume", "-r":
			o.resume = value
		case "--model":
			o.model = value
		case "--settings":
			o.settings = value
		case "--append-system-prompt-file":
			o.system = value
		}
	}
	if len(words) > 0 {
		o.prompt = words[0]
	}
	if o.session != "" && !uuidPattern.MatchString(o.session) {
		return o, fmt.Errorf("Error: Invalid session ID. Must be a valid UUID.")
	}
	return o, nil
}
