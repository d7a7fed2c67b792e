package tuiturn

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/tuiturn/tuiturn/internal/secret"
)

// An mcpServer holds the fields of a server in Request.MCPConfig that can hold secrets.
type mcpServer struct {
	Args    []string          `json:"args"`
	URL     string            `json:"url"`
	Env     map[string]string `json:"env"`
	Headers map[string]string `json:"headers"`
}

// parseMCP parses Request.MCPConfig. Its error does not repeat the configuration, which
// may hold secrets. The name "mcpServers" must be exact: otherwise all agents exit at
// once.
func parseMCP(config string) (servers map[string]mcpServer, err error) {
	var c map[string]json.RawMessage // a struct field would match the name in any case
	if json.Unmarshal([]byte(config), &c) != nil || json.Unmarshal(c["mcpServers"], &servers) != nil || servers == nil {
		return nil, errors.New(`Request.MCPConfig is not of the form {"mcpServers": {"NAME": {…}}}, with texts in args, env and headers`)
	}
	return servers, nil
}

// secretsOfMCP returns the values in a configuration that no error or log may show.
func secretsOfMCP(config string) (secrets []string) {
	servers, _ := parseMCP(config)
	for _, s := range servers {
		for _, value := range s.Headers {
			secrets = append(secrets, value)
		}
		environ := []string{"URL=" + s.URL}
		for name, value := range s.Env {
			environ = append(environ, name+"="+value)
		}
		if u, err := url.Parse(s.URL); err == nil {
			for name, values := range u.Query() {
				for _, value := range values {
					environ = append(environ, name+"="+value, name+"="+url.QueryEscape(value))
				}
			}
		}
		// "--api-key=VALUE", "--api-key VALUE", "API_KEY=VALUE", "--header VALUE"
		flag := ""
		for _, arg := range s.Args {
			if flag == "header" || flag == "H" {
				secrets = append(secrets, arg)
			}
			name := asVariable(arg)
			environ = append(environ, flag+"="+arg, name)
			if flag = ""; strings.HasPrefix(arg, "-") && !strings.Contains(name, "=") {
				flag = name
			}
		}
		secrets = append(secrets, secret.Values(environ)...)
	}
	return secrets
}

// asVariable writes a flag as a variable: "--api-key=VALUE" as "api_key=VALUE".
func asVariable(flag string) string {
	name, value, set := strings.Cut(strings.TrimLeft(flag, "-"), "=")
	if name = strings.ReplaceAll(name, "-", "_"); set {
		name += "=" + value
	}
	return name
}
