package main

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// A message is a message of a conversation, with the fields that both APIs have.
type message struct {
	role string // system, user or assistant
	name string // of the participant; mostly empty
	text string
}

// opening introduces a conversation and explains its tags to the model.
const (
	opening = `Below is a conversation, oldest message first,`
	format  = opening + ` each between <%[1]s role="…"> and </%[1]s>. Write the assistant's next message, without the tags.`
)

// render turns a conversation into a system prompt and a prompt.
//
// The system messages at its beginning are the system prompt, which reaches the agent
// through a file. A single user message is the prompt, unchanged, unless it looks like
// a conversation. Anything else is written out, each message between a tag with its
// role and a closing tag:
//
//	<message role="user">
//	Hello
//	</message>
//
// No text can imitate such a tag, so a model or a program can separate the messages
// again. If a message holds the beginning of a tag, all tags are named after the
// conversation's hash, which no text inside the conversation can hold.
func render(messages []message) (system, prompt string) {
	n := slices.IndexFunc(messages, func(m message) bool { return m.role != "system" || m.name != "" })
	if n < 0 {
		n = len(messages)
	}
	var rules []string
	for _, m := range messages[:n] {
		rules = append(rules, m.text)
	}
	system, messages = strings.Join(rules, "\n\n"), messages[n:]
	if len(messages) == 1 && messages[0].name == "" && !strings.HasPrefix(seen(messages[0].text), seen(opening)) {
		return system, messages[0].text
	}
	tag := tagFor(messages)
	var b strings.Builder
	fmt.Fprintf(&b, format, tag)
	b.WriteString("\n")
	for _, m := range messages {
		fmt.Fprintf(&b, "\n<%s role=%q", tag, m.role)
		if m.name != "" {
			fmt.Fprintf(&b, " name=%q", m.name)
		}
		fmt.Fprintf(&b, ">\n%s\n</%[2]s>\n", m.text, tag)
	}
	return system, b.String()
}

// tagFor returns a tag name that no text of the messages holds.
func tagFor(messages []message) string {
	const plain = "message"
	if !slices.ContainsFunc(messages, func(m message) bool {
		text := seen(m.text)
		return strings.Contains(text, "<"+plain) || strings.Contains(text, "</"+plain)
	}) {
		return plain
	}
	return fmt.Sprintf("%s-%x", plain, sha256.Sum256(fmt.Append(nil, messages)))[:len(plain)+17]
}

// seen returns text as it may arrive and as a model may read it: claude 2.1.330
// removes invisible characters, and a tag with a blank or a capital letter still looks
// like a tag.
func seen(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) || unicode.In(c, unicode.Cc, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			return -1
		}
		return unicode.ToLower(c)
	}, text)
}
