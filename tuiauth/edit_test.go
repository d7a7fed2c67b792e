package tuiauth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestApplyEdits(t *testing.T) {
	ab := edit{path: []string{"a", "b"}, value: "true"}
	for name, c := range map[string]struct {
		doc  string
		edit edit
		want string
	}{
		"empty":              {`{}`, ab, `{"a": {"b": true}}`},
		"spaced empty":       {" { \n} ", ab, " {\"a\": {\"b\": true} \n} "},
		"outer there":        {`{"a":{}}`, ab, `{"a":{"b": true}}`},
		"already so":         {`{"a":{"b":true}}`, ab, `{"a":{"b":true}}`},
		"escaped keys":       {`{"\u0061":{"\u0062":true}}`, ab, `{"\u0061":{"\u0062":true}}`},
		"other value":        {`{"a":{"b":[1,{"c":"}"}]},"z":1}`, ab, `{"a":{"b":true},"z":1}`},
		"null on the way":    {`{"a":null,"z":1}`, ab, `{"a":{"b": true},"z":1}`},
		"style of two":       {"{\n  \"z\": 1\n}", ab, "{\n  \"z\": 1,\n  \"a\": {\"b\": true}\n}"},
		"compact":            {`{"z":"\\\"}"}`, ab, `{"z":"\\\"}","a":{"b": true}}`},
		"keep":               {`{"t":"x"}`, edit{path: []string{"t"}, value: "1", keep: true}, `{"t":"x"}`},
		"keep what is not":   {`{}`, edit{path: []string{"t"}, value: "1", keep: true}, `{"t": 1}`},
		"halves of pairs":    {`{"\ud800":1,"\ud801":2}`, ab, `{"\ud800":1,"\ud801":2,"a":{"b": true}}`},
		"number at the end":  {`{"z":-1.0E+2}`, ab, `{"z":-1.0E+2,"a":{"b": true}}`},
		"same key elsewhere": {`{"z":{"a":{"b":0}}}`, ab, `{"z":{"a":{"b":0}},"a":{"b": true}}`},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			got, changed, err := applyEdits([]byte(c.doc), []edit{c.edit})
			is.NoErr(err)
			is.Equal(string(got), c.want)
			is.Equal(len(changed) > 0, c.doc != c.want)
		})
	}
}

// flatten lists every scalar of a document as path and raw text, in order. It
// shares no code with the editor.
func flatten(t *testing.T, doc []byte) []string {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var list []string
	var walk func(path string)
	walk = func(path string) {
		tok, err := dec.Token()
		if err != nil {
			t.Fatalf("%v in %q", err, doc)
		}
		switch tok {
		case json.Delim('{'):
			list = append(list, path+"{")
			for dec.More() {
				key, err := dec.Token()
				if err != nil {
					t.Fatal(err)
				}
				walk(fmt.Sprintf("%s.%q", path, key))
			}
			dec.Token()
		case json.Delim('['):
			list = append(list, path+"[")
			for i := 0; dec.More(); i++ {
				walk(fmt.Sprintf("%s[%d]", path, i))
			}
			dec.Token()
		default:
			list = append(list, fmt.Sprintf("%s=%T %v", path, tok, tok))
		}
	}
	walk("")
	if _, err := dec.Token(); err != io.EOF {
		t.Fatalf("more after the value: %q", doc)
	}
	return list
}

// FuzzApplyEdits checks that no foreign data is lost, changed or moved, and that the
// result is valid JSON, holds the edits and needs no second run.
func FuzzApplyEdits(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"projects":{}}`, `{"projects":null,"n":[1e3,1.0,12345678901234567890]}`,
		"{\n  \"\\u0061\": \"\\ud83d\\ude00\",\n  \"projects\": {\n    \"/w\": {\"x\":1, \"hasTrustDialogAccepted\":false}\n  }\n}",
		`{"theme":"light","hasCompletedOnboarding":0}`, `[]`, `{"a":1,"a":2}`, "\xef\xbb\xbf{}", `{"a":1}x`, `{"\ud800":"\ud801"}`,
	} {
		f.Add([]byte(s), "/w")
	}
	f.Add([]byte(`{"projects":{"\"":{}}}`), `"`)
	f.Fuzz(func(t *testing.T, doc []byte, dir string) {
		// A path that JSON can't hold never gets here.
		dir = strings.ToValidUTF8(dir, "")
		if strings.Contains(dir, "\uFFFD") {
			return
		}
		edits := []edit{
			{path: []string{"hasCompletedOnboarding"}, value: "true"},
			{path: []string{"theme"}, value: `"dark"`, keep: true},
			{path: []string{"projects", dir, "hasTrustDialogAccepted"}, value: "true"},
		}
		before := bytes.Clone(doc)
		out, changed, err := applyEdits(doc, edits)
		if !bytes.Equal(doc, before) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			return
		}
		if !json.Valid(out) {
			t.Fatalf("not valid: %q", out)
		}
		again, more, err := applyEdits(out, edits)
		if err != nil || len(more) > 0 || !bytes.Equal(again, out) {
			t.Fatalf("a second run changed %v (%v): %q", more, err, again)
		}
		if len(changed) == 0 && !bytes.Equal(out, doc) {
			t.Fatalf("an unreported change: %q", out)
		}

		project := fmt.Sprintf(".%q.%q", "projects", dir)
		ours := map[string]string{`."hasCompletedOnboarding"`: "=bool true", project + `."hasTrustDialogAccepted"`: "=bool true"}
		rest := func(list []string) []string {
			return slices.DeleteFunc(list, func(s string) bool {
				for path := range ours {
					if tail, ok := strings.CutPrefix(s, path); ok && strings.IndexAny(tail, "=.[{") == 0 {
						return true
					}
				}
				return s == `."projects"{` || s == `."projects"=<nil> <nil>` || s == project+"{" || s == project+"=<nil> <nil>" || s == `."theme"=string dark`
			})
		}
		got := flatten(t, out)
		for path, value := range ours {
			if !slices.Contains(got, path+value) {
				t.Fatalf("%s is not set: %q", path, out)
			}
		}
		if want, got := rest(flatten(t, doc)), rest(got); !slices.Equal(want, got) {
			t.Fatalf("unknown data changed:\n%q\n%q", want, got)
		}
	})
}
