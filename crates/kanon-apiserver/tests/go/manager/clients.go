package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/scale"
	"k8s.io/client-go/tools/clientcmd"
)

const protobuf = "application/vnd.kubernetes.protobuf"

// Everything that speaks to the server. Those whose names begin with `cached` belong to informers.
type clients struct {
	base           *rest.Config
	accept         string
	typed          kubernetes.Interface
	extensions     apiextensions.Interface
	dynamic        dynamic.Interface
	cachedTyped    kubernetes.Interface
	cachedDynamic  dynamic.Interface
	cachedMetadata metadata.Interface
	discovery      discovery.CachedDiscoveryInterface
	mapper         *restmapper.DeferredDiscoveryRESTMapper
	scales         scale.ScalesGetter
}

// A configuration of its own for each use, whose requests are counted under its name.
func (c *clients) config(use string) *rest.Config {
	config := rest.CopyConfig(c.base)
	config.UserAgent = "sites-manager/" + use
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &watched{use: use, next: next} })
	return config
}

// The same for built-in kinds: bodies are protobuf, and answers what the manager was told to accept.
func (c *clients) builtin(use string) *rest.Config {
	config := c.config(use)
	config.ContentType = protobuf
	config.AcceptContentTypes = c.accept
	return config
}

func connect(kubeconfig, accept string) (*clients, error) {
	base, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	// As controller-runtime does it: whoever is told to wait by the server needs no brake of its own.
	base.QPS = -1
	base.WarningHandlerWithContext = warnings{}
	c := &clients{base: base, accept: accept}
	if c.typed, err = kubernetes.NewForConfig(c.builtin("work")); err != nil {
		return nil, err
	}
	if c.cachedTyped, err = kubernetes.NewForConfig(c.builtin("cache")); err != nil {
		return nil, err
	}
	if c.extensions, err = apiextensions.NewForConfig(c.builtin("work")); err != nil {
		return nil, err
	}
	if c.dynamic, err = dynamic.NewForConfig(c.config("work")); err != nil {
		return nil, err
	}
	if c.cachedDynamic, err = dynamic.NewForConfig(c.config("cache")); err != nil {
		return nil, err
	}
	if c.cachedMetadata, err = metadata.NewForConfig(metadata.ConfigFor(c.builtin("cache"))); err != nil {
		return nil, err
	}
	found, err := discovery.NewDiscoveryClientForConfig(c.config("discovery"))
	if err != nil {
		return nil, err
	}
	c.discovery = memory.NewMemCacheClient(found)
	c.mapper = restmapper.NewDeferredDiscoveryRESTMapper(c.discovery)
	c.scales, err = scale.NewForConfig(c.config("work"), c.mapper, dynamic.LegacyAPIPathResolverFunc,
		scale.NewDiscoveryScaleKindResolver(c.discovery))
	return c, err
}

// Counts requests, and tells of answers that are failures.
type watched struct {
	use  string
	next http.RoundTripper
}

func (w *watched) RoundTrip(request *http.Request) (*http.Response, error) {
	verb, resource := what(request)
	counts.add(w.use + " " + verb + " " + resource)
	answer, err := w.next.RoundTrip(request)
	if err != nil {
		counts.add(w.use + " unanswered")
		return nil, err
	}
	if verb == "watch" || verb == "watchlist" {
		form, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
		counts.add(w.use + " form " + form)
	}
	if answer.StatusCode >= 400 {
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			return nil, err
		}
		answer.Body.Close()
		answer.Body = io.NopCloser(bytes.NewReader(text))
		say("answer", details{"use": w.use, "code": answer.StatusCode, "method": request.Method, "verb": verb, "resource": resource,
			"path": request.URL.RequestURI(), "message": message(text)})
	}
	return answer, nil
}

// The message of a status, or what else it is.
func message(text []byte) string {
	var status struct{ Message string }
	if json.Unmarshal(text, &status) == nil && status.Message != "" {
		return status.Message
	}
	return strings.ToValidUTF8(string(text[:min(len(text), 500)]), ".")
}

// What a request asks for, in the words of RBAC, with `watchlist` for a watch that begins with what is there.
func what(request *http.Request) (verb, resource string) {
	parts := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	group := ""
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		group, parts = parts[1], parts[3:]
	default:
		return strings.ToLower(request.Method), request.URL.Path
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	resource = strings.Trim(parts[0]+"."+group, ".")
	if len(parts) > 2 {
		resource += "/" + parts[2]
	}
	query := request.URL.Query()
	switch {
	case request.Method != http.MethodGet:
		return strings.ToLower(request.Method), resource
	case query.Get("sendInitialEvents") == "true":
		return "watchlist", resource
	case query.Get("watch") == "true":
		return "watch", resource
	case len(parts) > 1:
		return "get", resource
	default:
		return "list", resource
	}
}
