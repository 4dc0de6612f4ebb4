package main

import (
	"context"
	"fmt"
	"net"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

// serve runs kube-apiserver on a listener until the context ends. The flags are its own and come last.
func serve(ctx context.Context, listener net.Listener, etcd net.Addr, secrets *secrets, flags []string) error {
	given := options.NewServerRunOptions()
	all := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, set := range given.Flags().FlagSets {
		all.AddFlagSet(set)
	}
	own := []string{
		"--etcd-servers=http://" + etcd.String(),
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", listener.Addr().(*net.TCPAddr).Port),
		"--advertise-address=127.0.0.1",
		// Nothing here asks for the Service of the server itself, so it needs no endpoints.
		"--endpoint-reconciler-type=none",
		"--tls-cert-file=" + secrets.certificate,
		"--tls-private-key-file=" + secrets.key,
		"--authorization-mode=RBAC",
		"--token-auth-file=" + secrets.tokens,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + secrets.accounts,
		"--service-account-signing-key-file=" + secrets.accounts,
		"--service-cluster-ip-range=10.96.0.0/16",
		// A Pod needs no ServiceAccount: there is no controller that would make one for each namespace.
		"--disable-admission-plugins=ServiceAccount",
		// Clients that are still there get no more than this when the server ends.
		"--request-timeout=10s",
	}
	if err := all.Parse(append(own, flags...)); err != nil {
		return err
	}
	given.SecureServing.Listener = listener
	if err := given.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	completed, err := given.Complete(ctx)
	if err != nil {
		return err
	}
	if err := errors.NewAggregate(completed.Validate()); err != nil {
		return err
	}
	return app.Run(ctx, completed)
}
