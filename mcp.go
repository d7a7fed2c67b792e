package tuiturn

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/tuiturn/tuiturn/internal/secret"
)

// An mcpServer is what of one in Request.MCPConfig matters here.
type mcpServer struct {
	Args    []string          `json:"args"`
	URL     string            `json:"url"`
	Env     map[string]string `json:"env"`
	Headers map[string]string `json:"headers"`
}

// parseMCP does not repeat what it was given, which may hold secrets. The name is
// to be exact: all agents end at once if it is not.
func parseMCP(config string) (servers map[string]mcpServer, err error) {
	var c map[string]json.RawMessage // a struct's field would take any case
	if json.Unmarshal([]byte(config), &c) != nil || json.Unmarshal(c["mcpServers"], &servers) != nil || servers == nil {
		return nil, errors.New(`Request.MCPConfig is not of the form {"mcpServers": {"NAME": {…}}}, with texts in args, env and headers`)
	}
	return servers, nil
}

// secretsOfMCP are the values in a configuration that no error or log may show.
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
			name := asName(arg)
			environ = append(environ, flag+"="+arg, name)
			if flag = ""; strings.HasPrefix(arg, "-") && !strings.Contains(name, "=") {
				flag = name
			}
		}
		secrets = append(secrets, secret.Values(environ)...)
	}
	return secrets
}

// asName makes a flag look like a variable.
func asName(flag string) string {
	name, value, set := strings.Cut(strings.TrimLeft(flag, "-"), "=")
	if name = strings.ReplaceAll(name, "-", "_"); set {
		name += "=" + value
	}
	return name
}
