package secret

import (
	"testing"

	"github.com/matryer/is"
)

func TestValues(t *testing.T) {
	const value = "dummy-value-of-8-or-more"
	for _, name := range []string{
		"TOKEN", "ANTHROPIC_API_KEY", "anthropic_auth_token", "APIKEY", "DB_PASSWORD", "DB_PASSWORD_2", "GPG_PASSPHRASE",
		"AWS_SECRET_ACCESS_KEY", "CREDENTIALS", "SESSION_COOKIE", "GH_PAT", "ANTHROPIC_CUSTOM_HEADERS", "SENTRY_DSN", "AUTH", "githubToken",
	} {
		is.New(t).Equal(Values([]string{name + "=" + value}), []string{value})
	}
	for _, name := range []string{
		"PATH", "SSH_AUTH_SOCK", "XAUTHORITY", "GIT_AUTHOR_NAME", "KEYBOARD", "CLIENT_KEY_FILE", "AUTH_PROXY", "PATTERN", "MONKEY", "GIT_ASKPASS_CMD",
	} {
		is.New(t).Equal(Values([]string{name + "=" + value}), nil)
	}
	for entry, password := range map[string]string{
		"DATABASE_URL=postgres://joe:hunter2@db/x":       "hunter2",
		"HTTPS_PROXY=joe:proxypassword-1234@127.0.0.1:1": "proxypassword-1234",
		"REDIS=redis://:hunter2@db":                      "hunter2",
	} {
		is.New(t).Equal(Values([]string{entry}), []string{password})
	}
	is.New(t).Equal(Values([]string{"HTTPS_PROXY=http://proxy:3128", "REQUIRE_AUTH=yes", "broken", "X=a:b", "T=12:30"}), nil)
}
