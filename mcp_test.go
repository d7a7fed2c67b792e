package tuiturn

import (
	"slices"
	"testing"

	"github.com/matryer/is"
)

func TestSecretsOfMCP(t *testing.T) {
	is := is.New(t)
	secrets := secretsOfMCP(`{"mcpServers": {
		"stdio": {"command": "npx", "args": ["-y", "a-weather-server", "--api-key", "secret-1", "--auth-token=secret-2", "--port", "12345678", "DB_PASSWORD=secret-3", "--header", "X-It: secret-4"],
			"env": {"SKY_TOKEN": "secret-5", "PLACE": "not-secret"}},
		"http": {"type": "http", "url": "https://me:secret-6@example.org/mcp?api_key=secret-7%2F8&city=not-secret", "headers": {"X-Other": "secret-9"}}
	}}`)
	slices.Sort(secrets)
	is.Equal(slices.Compact(secrets), []string{
		"X-It: secret-4", "secret-1", "secret-2", "secret-3", "secret-5", "secret-6", "secret-7%2F8", "secret-7/8", "secret-9",
	})
}
