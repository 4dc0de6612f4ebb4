package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// secrets are the files by which the server and its clients know each other. They outlive a process, so that clients of
// one that was killed trust the next.
type secrets struct {
	// authority, certificate and key are PEM files for the address 127.0.0.1.
	authority, certificate, key string
	// accounts is the PEM file of the key that signs the tokens of ServiceAccounts.
	accounts string
	// tokens is the file of static tokens, and token the one in it.
	tokens, token string
}

// loadOrCreate makes the files that are not there yet. The tokens are written last: where they are, everything is.
func loadOrCreate(data string) (*secrets, error) {
	file := func(name string) string { return filepath.Join(data, name) }
	found := &secrets{
		authority:   file("authority.crt"),
		certificate: file("server.crt"),
		key:         file("server.key"),
		accounts:    file("accounts.key"),
		tokens:      file("tokens.csv"),
	}
	line, err := os.ReadFile(found.tokens)
	if err == nil {
		found.token, _, _ = strings.Cut(string(line), ",")
		return found, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return found, found.create()
}

func (s *secrets) create() error {
	if err := s.createCertificates(); err != nil {
		return err
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if err := writeKey(s.accounts, signer); err != nil {
		return err
	}
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	s.token = hex.EncodeToString(random)
	return os.WriteFile(s.tokens, []byte(s.token+",admin,admin,system:masters\n"), 0o600)
}

func (s *secrets) createCertificates() error {
	now := time.Now()
	template := func(name string, serial int64) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber:          big.NewInt(serial),
			Subject:               pkix.Name{CommonName: name},
			NotBefore:             now.Add(-time.Hour),
			NotAfter:              now.Add(24 * time.Hour),
			BasicConstraintsValid: true,
		}
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	authority := template("kubernetes for tests", 1)
	authority.IsCA = true
	authority.KeyUsage = x509.KeyUsageCertSign
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	server := template("kube-apiserver", 2)
	server.KeyUsage = x509.KeyUsageDigitalSignature
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	server.DNSNames = []string{"localhost", "kubernetes.default.svc"}

	if err := writeCertificate(s.authority, authority, authority, authorityKey.Public(), authorityKey); err != nil {
		return err
	}
	if err := writeCertificate(s.certificate, server, authority, serverKey.Public(), authorityKey); err != nil {
		return err
	}
	return writeKey(s.key, serverKey)
}

func writeCertificate(path string, of, by *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) error {
	der, err := x509.CreateCertificate(rand.Reader, of, by, public, signer)
	if err != nil {
		return err
	}
	return writePEM(path, "CERTIFICATE", der)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// waitUntilReady asks the server until it calls itself ready and has the namespace that everybody takes for granted,
// which it makes for itself a moment later.
func (s *secrets) waitUntilReady(ctx context.Context, base string, served <-chan error) error {
	authority, err := os.ReadFile(s.authority)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	client := &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
		Timeout:   5 * time.Second,
	}
	defer client.CloseIdleConnections()
	for _, path := range []string{"/readyz", "/api/v1/namespaces/default"} {
		for {
			last := s.ask(ctx, client, base+path)
			if last == nil {
				break
			}
			select {
			case err := <-served:
				return fmt.Errorf("ended before it was ready: %v", err)
			case <-ctx.Done():
				return fmt.Errorf("told to end before it was ready: %w", last)
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}

func (s *secrets) ask(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", url, response.Status, text)
	}
	return err
}
