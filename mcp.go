package tuiturn

import (
	"encoding/json"
	"errors"

	"github.com/tuiturn/tuiturn/internal/secret"
)

// mcpConfig is what of Request.MCPConfig matters here.
type mcpConfig struct {
	Servers map[string]mcpServer `json:"mcpServers"`
}

type mcpServer struct {
	URL     string            `json:"url"`
	Env     map[string]string `json:"env"`
	Headers map[string]string `json:"headers"`
}

// parseMCP does not repeat what it was given, which may hold secrets.
func parseMCP(config string) (c mcpConfig, err error) {
	if err := json.Unmarshal([]byte(config), &c); err != nil || c.Servers == nil {
		return c, errors.New(`Request.MCPConfig is not of the form {"mcpServers": {"NAME": {…}}}`)
	}
	return c, nil
}

// secretsOfMCP are the values in a configuration that no error or log may show.
func secretsOfMCP(config string) (secrets []string) {
	c, _ := parseMCP(config)
	for _, s := range c.Servers {
		for _, value := range s.Headers {
			secrets = append(secrets, value)
		}
		environ := []string{"URL=" + s.URL}
		for name, value := range s.Env {
			environ = append(environ, name+"="+value)
		}
		secrets = append(secrets, secret.Values(environ)...)
	}
	return secrets
}
