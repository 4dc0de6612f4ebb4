// Command kubernetes is a real Kubernetes API server for tests: etcd and kube-apiserver in one process, on loopback.
//
//	kubernetes [-data DIR] [-port NUMBER] [-- KUBE-APISERVER-FLAG...]
//
// When it serves, it prints one line of JSON to standard output (see ready) and goes on until its standard input is
// closed or SIGTERM or SIGINT comes: so it never outlives the test that started it, however that ends. There are no
// controllers: nothing makes EndpointSlices, deletes namespaces or gives addresses to Services.
//
// With -data, objects, certificates and keys stay in DIR, and a later process with the same DIR and -port is the same
// server to its clients, also after SIGKILL. Without it they are in a temporary folder that goes with the process.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
)

// ready is what a test needs to talk to the server.
type ready struct {
	// Server is the base of its URLs.
	Server string `json:"server"`
	// Authority is the PEM certificate that vouches for it.
	Authority string `json:"authority"`
	// Token is a bearer token of a user who may do everything. Tokens that may do less are those of ServiceAccounts
	// (POST .../serviceaccounts/NAME/token), and RBAC says what.
	Token string `json:"token"`
}

func main() {
	data := flag.String("data", "", "keep everything in `DIR`, and go on from what is there")
	port := flag.Int("port", 0, "listen on this `NUMBER`; 0 takes a free one")
	flag.Parse()
	if err := run(*data, *port, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "kubernetes:", err)
		os.Exit(1)
	}
}

func run(data string, port int, flags []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() {
		io.Copy(io.Discard, os.Stdin)
		stop()
	}()

	if data == "" {
		temporary, err := os.MkdirTemp("", "kubernetes-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temporary)
		data = temporary
	}
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	secrets, err := loadOrCreate(data)
	if err != nil {
		return fmt.Errorf("certificates and keys in %s: %w", data, err)
	}
	etcd, err := startEtcd(ctx, data)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer etcd.Close()

	served := make(chan error, 1)
	go func() {
		served <- serve(ctx, listener, etcd.Clients[0].Addr(), secrets, flags)
	}()
	base := "https://" + listener.Addr().String()
	if err := secrets.waitUntilReady(ctx, base, served); err != nil {
		return fmt.Errorf("kube-apiserver: %w", err)
	}
	authority, err := os.ReadFile(secrets.authority)
	if err != nil {
		return err
	}
	line := ready{Server: base, Authority: string(authority), Token: secrets.token}
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		return err
	}
	return <-served
}
