// Command real-server is the upstream server of custom resources (k8s.io/apiextensions-apiserver) on its own: definitions, their
// objects, and all that the generic machinery does with them, for comparison with the embedded server.
//
// It stands without a cluster: no core API, everybody who knows the token may do everything, no admission. It writes DIR/kubeconfig
// and prints one line of JSON once it is ready; it ends in good order with SIGTERM.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/apiextensions-apiserver/pkg/cmd/server/options"
	generatedopenapi "k8s.io/apiextensions-apiserver/pkg/generated/openapi"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	utilopenapi "k8s.io/apiserver/pkg/util/openapi"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/component-base/version"

	noopoteltrace "go.opentelemetry.io/otel/trace/noop"
)

// token is what clients show; the server is reached from this machine only.
const token = "admin"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "real-server:", err)
		os.Exit(1)
	}
}

func run() error {
	o := options.NewCustomResourceDefinitionsServerOptions(os.Stdout, os.Stderr)
	flags := pflag.NewFlagSet("real-server", pflag.ContinueOnError)
	etcd := flags.String("etcd", "", "URL of an etcd")
	dir := flags.String("dir", "", "folder for the certificate and the kubeconfig")
	// Among these: --emulated-version=kube=1.33, --feature-gates.
	o.ServerRunOptions.AddUniversalFlags(flags)
	if err := flags.Parse(os.Args[1:]); err != nil {
		return err
	}
	if *etcd == "" || *dir == "" {
		return errors.New("--etcd and --dir are needed")
	}
	if err := o.ServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}

	// Whatever needs a core API, or another server to ask.
	o.RecommendedOptions.CoreAPI = nil
	o.RecommendedOptions.Authentication = nil
	o.RecommendedOptions.Authorization = nil
	o.RecommendedOptions.Admission = nil
	o.RecommendedOptions.Features.EnablePriorityAndFairness = false
	o.RecommendedOptions.Etcd.StorageConfig.Transport.ServerList = []string{*etcd}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	serving := o.RecommendedOptions.SecureServing
	serving.Listener, serving.BindPort = listener, listener.Addr().(*net.TCPAddr).Port
	serving.BindAddress, serving.ExternalAddress = net.IPv4(127, 0, 0, 1), net.IPv4(127, 0, 0, 1)
	serving.ServerCert.CertDirectory = *dir

	server, err := build(o)
	if err != nil {
		return err
	}
	address := fmt.Sprintf("https://127.0.0.1:%d", serving.BindPort)
	ctx := genericapiserver.SetupSignalContext()
	go announce(ctx, server, address, *dir)
	return server.GenericAPIServer.PrepareRun().RunWithContext(ctx)
}

// build makes the server from its options, in place of their own Config, which asks a core API for services.
func build(o *options.CustomResourceDefinitionsServerOptions) (*apiserver.CustomResourceDefinitions, error) {
	if err := o.Complete(); err != nil {
		return nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	serving := o.RecommendedOptions.SecureServing
	if err := serving.MaybeDefaultWithSelfSignedCerts("localhost", nil, []net.IP{net.IPv4(127, 0, 0, 1)}); err != nil {
		return nil, err
	}
	generic := genericapiserver.NewRecommendedConfig(apiserver.Codecs)
	if err := o.ServerRunOptions.ApplyTo(&generic.Config); err != nil {
		return nil, err
	}
	if err := o.RecommendedOptions.ApplyTo(generic); err != nil {
		return nil, err
	}
	if err := o.APIEnablement.ApplyTo(&generic.Config, apiserver.DefaultAPIResourceConfigSource(), apiserver.Scheme); err != nil {
		return nil, err
	}
	generic.Authentication.Authenticator = authenticator.RequestFunc(whoever)
	generic.Authorization.Authorizer = authorizerfactory.NewAlwaysAllowAuthorizer()
	generic.SharedInformerFactory = nil

	definitions := utilopenapi.GetOpenAPIDefinitionsWithoutDisabledFeatures(generatedopenapi.GetOpenAPIDefinitions)
	namer := openapi.NewDefinitionNamer(apiserver.Scheme, scheme.Scheme)
	generic.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, namer)
	generic.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, namer)

	config := apiserver.Config{
		GenericConfig: generic,
		ExtraConfig: apiserver.ExtraConfig{
			CRDRESTOptionsGetter: options.NewCRDRESTOptionsGetter(
				*o.RecommendedOptions.Etcd, generic.ResourceTransformers, generic.StorageObjectCountTracker),
			ServiceResolver: noServices{},
			AuthResolverWrapper: webhook.NewDefaultAuthenticationInfoResolverWrapper(
				nil, nil, generic.LoopbackClientConfig, noopoteltrace.NewTracerProvider()),
		},
	}
	return config.Complete().New(genericapiserver.NewEmptyDelegate())
}

// whoever knows the token is an administrator; the server itself comes with a token of its own.
func whoever(request *http.Request) (*authenticator.Response, bool, error) {
	if request.Header.Get("Authorization") == "" {
		return nil, false, nil
	}
	known := &user.DefaultInfo{Name: "admin", Groups: []string{user.SystemPrivilegedGroup, user.AllAuthenticated}}
	return &authenticator.Response{User: known}, true, nil
}

// noServices stands for the services that conversion webhooks would be found by.
type noServices struct{}

func (noServices) ResolveEndpoint(namespace, name string, port int32) (*url.URL, error) {
	return nil, fmt.Errorf("service %s/%s:%d is not known: there is no core API", namespace, name, port)
}

// announce waits until the server is ready and says where it is.
func announce(ctx context.Context, server *apiserver.CustomResourceDefinitions, address, dir string) {
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := write(kubeconfig, address, filepath.Join(dir, "apiserver.crt")); err != nil {
		fmt.Fprintln(os.Stderr, "real-server:", err)
		os.Exit(1)
	}
	loopback := server.GenericAPIServer.LoopbackClientConfig
	client, err := rest.HTTPClientFor(loopback)
	for err == nil && ctx.Err() == nil {
		answer, failed := client.Get(loopback.Host + "/readyz")
		if failed == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				break
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	line, _ := json.Marshal(map[string]string{
		"ready":      address,
		"kubeconfig": kubeconfig,
		"version":    version.Get().GitVersion,
		"emulated":   utilfeature.DefaultMutableFeatureGate.EmulationVersion().String(),
	})
	fmt.Println(string(line))
}

// write writes an administrator's kubeconfig.
func write(path, address, authority string) error {
	pem, err := os.ReadFile(authority)
	if err != nil {
		return err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["real"] = &clientcmdapi.Cluster{Server: address, CertificateAuthorityData: pem}
	config.AuthInfos["admin"] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts["real"] = &clientcmdapi.Context{Cluster: "real", AuthInfo: "admin"}
	config.CurrentContext = "real"
	return clientcmd.WriteToFile(*config, path)
}
