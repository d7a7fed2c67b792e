package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
)

// A guard decides which requests are allowed.
//
// With a key: requests with the key, as "Authorization: Bearer KEY" or as
// "X-Api-Key: KEY".
//
// Without a key: requests of programs on this machine, but not of web pages in a
// browser on it. A page can send requests to a loopback address, and these carry an
// Origin or a Sec-Fetch-Site. With DNS rebinding a page's own name gets the loopback
// address, and then the Host is that name.
type guard struct {
	keyed bool
	hash  [sha256.Size]byte
}

func newGuard(key string) guard {
	return guard{keyed: key != "", hash: sha256.Sum256([]byte(key))}
}

// check returns the error for a request that is not allowed. A public request needs no
// key.
func (g guard) check(r *http.Request, public bool) error {
	if g.keyed {
		if public || g.opens(r.Header.Get("X-Api-Key")) || g.opens(bearer(r)) {
			return nil
		}
		return &failure{status: http.StatusUnauthorized, message: "this needs the proxy's key, as Authorization: Bearer KEY or X-Api-Key: KEY"}
	}
	site := r.Header.Get("Sec-Fetch-Site")
	switch {
	case !isLoopback(r.Host):
		return &failure{status: http.StatusForbidden, message: fmt.Sprintf("the Host %q is not this machine's loopback address: use that, or give the proxy a key", r.Host)}
	case r.Header.Get("Origin") != "", site != "" && site != "none":
		return &failure{status: http.StatusForbidden, message: "web pages may not use the proxy without a key: give the proxy a key"}
	}
	return nil
}

// opens compares hashes, so that its duration reveals neither the key nor its length.
func (g guard) opens(key string) bool {
	hash := sha256.Sum256([]byte(key))
	return subtle.ConstantTimeCompare(hash[:], g.hash[:]) == 1
}

func bearer(r *http.Request) string {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(key)
}

// isLoopback tells whether host, which may have a port, is a loopback name or address.
func isLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// listenAddr returns the address to listen on. Without a key it must be a loopback
// address.
func listenAddr(listen, key string) (*net.TCPAddr, error) {
	addr, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("-listen %s: %w", listen, err)
	}
	if key == "" && !addr.IP.IsLoopback() {
		return nil, fmt.Errorf("-listen %s can be reached from other machines: set a key in %s, or listen on 127.0.0.1", listen, keyVar)
	}
	return addr, nil
}

// minKey is the length of the shortest accepted key: a shorter key can be guessed.
const minKey = 16

// readKey returns the key from the environment or from a file, or "" if there is none.
// There is no flag for it: other users can see a command line.
func readKey(value, file string) (string, error) {
	from := keyVar
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("-key-file: %w", err)
		}
		if value = strings.TrimSpace(string(b)); value == "" {
			return "", fmt.Errorf("-key-file %s is empty: write a key into it (openssl rand -hex 32)", file)
		}
		from = "-key-file " + file
	}
	if value != "" && (len(value) < minKey || strings.ContainsFunc(value, func(c rune) bool { return c <= ' ' || c > '~' })) {
		return "", fmt.Errorf("the key in %s is too short, or holds blanks or non-ASCII characters: use %d or more letters and digits (openssl rand -hex 32)", from, minKey)
	}
	return value, nil
}
