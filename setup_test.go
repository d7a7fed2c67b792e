package tuiturn

import (
	"context"
	"reflect"
	"testing"

	"github.com/matryer/is"
)

// Every field of Request either makes another kind of agent in a pool, or is known
// not to matter when an agent starts. One that is forgotten would hand a request an
// agent with other rights.
func TestSetupKeyKnowsEveryFieldOfRequest(t *testing.T) {
	t.Parallel()
	plain := Request{WorkDir: t.TempDir()}
	other := Request{
		Prompt: "hello", AllowCommands: true, AllowMentions: true, AllowProject: true, Model: "m", WorkDir: t.TempDir(),
		NoTools: true, Tools: []string{"Read"}, MCPConfig: `{"mcpServers": {}}`, SystemPrompt: "Be brief.", Effort: "low",
		Env: []string{"A=b"}, OnDelta: func(Delta) {},
		OnPermission: func(context.Context, PermissionRequest) (Decision, error) { return Decision{}, nil }, Trace: &Trace{},
	}
	free := map[string]bool{"Prompt": true, "AllowCommands": true, "OnPermission": true, "Trace": true}
	key := func(t *testing.T, req Request) setupKey {
		t.Helper()
		s, err := newSetup(req)
		is.New(t).NoErr(err)
		return s.key()
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Request]()) {
		t.Run(field.Name, func(t *testing.T) {
			is := is.New(t)
			value := reflect.ValueOf(other).FieldByIndex(field.Index)
			is.True(!value.IsZero()) // give a new field a value above
			req := plain
			reflect.ValueOf(&req).Elem().FieldByIndex(field.Index).Set(value)
			is.Equal(key(t, req) == key(t, plain), free[field.Name])
		})
	}
	t.Run("no tools in two ways", func(t *testing.T) {
		is := is.New(t)
		no, none := plain, plain
		no.NoTools, none.Tools = true, []string{}
		is.True(key(t, no) != key(t, none)) // only with NoTools git finds no repository
		is.True(key(t, plain) != key(t, none))
	})
}
