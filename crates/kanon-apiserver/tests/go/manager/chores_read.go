package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/pager"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/utils/ptr"
)

func maps(namespace string, number int, label string) []*corev1.ConfigMap {
	all := make([]*corev1.ConfigMap, number)
	for at := range all {
		name := fmt.Sprintf("%s-%d", label, at)
		all[at] = &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{"for": label}},
			Data:       map[string]string{"number": fmt.Sprint(at)},
		}
	}
	return all
}

func (c *chores) makeMaps(ctx context.Context, namespace string, number int, label string) error {
	for _, it := range maps(namespace, number, label) {
		if _, err := c.clients.typed.CoreV1().ConfigMaps(namespace).Create(ctx, it, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// Discovery through the cache, and kinds mapped to resources.
func (c *chores) discover(context.Context, string) error {
	c.clients.mapper.Reset()
	for kind, resource := range map[schema.GroupKind]string{
		siteKind.GroupKind():                           "sites",
		{Group: "apps", Kind: "Deployment"}:            "deployments",
		{Group: "policy", Kind: "PodDisruptionBudget"}: "poddisruptionbudgets",
		{Kind: "Namespace"}:                            "namespaces",
	} {
		mapping, err := c.clients.mapper.RESTMapping(kind)
		if err != nil {
			return err
		}
		if err := same("resource of "+kind.Kind, mapping.Resource.Resource, resource); err != nil {
			return err
		}
	}
	_, err := c.clients.mapper.RESTMapping(schema.GroupKind{Group: "example.io", Kind: "Nothing"})
	if err := expect(err, meta.IsNoMatchError, "a kind that is not there"); err != nil {
		return err
	}
	preferred, err := c.clients.discovery.ServerPreferredResources()
	if err != nil {
		return err
	}
	if len(preferred) < 15 {
		return fmt.Errorf("only %d group versions", len(preferred))
	}
	version, err := c.clients.discovery.ServerVersion()
	if err != nil {
		return err
	}
	return same("major version", version.Major, "1")
}

// The documents of OpenAPI: version 2 in protobuf, version 3 a group at a time.
func (c *chores) readDocuments(context.Context, string) error {
	older, err := c.clients.discovery.OpenAPISchema()
	if err != nil {
		return err
	}
	if older.GetDefinitions() == nil {
		return errors.New("the document of version 2 defines nothing")
	}
	paths, err := c.clients.discovery.OpenAPIV3().Paths()
	if err != nil {
		return err
	}
	for _, path := range []string{"apis/example.io/v1", "apis/apps/v1"} {
		group, there := paths[path]
		if !there {
			return errors.New("no document of " + path)
		}
		text, err := group.Schema("application/json")
		if err != nil {
			return err
		}
		var document struct {
			Components struct{ Schemas map[string]any }
		}
		if err := json.Unmarshal(text, &document); err != nil {
			return err
		}
		if len(document.Components.Schemas) == 0 {
			return errors.New("no schemas in " + path)
		}
	}
	return nil
}

// A list page by page, with something gone in between.
func (c *chores) readPages(ctx context.Context, namespace string) error {
	if err := c.makeMaps(ctx, namespace, 25, "paged"); err != nil {
		return err
	}
	client := c.clients.typed.CoreV1().ConfigMaps(namespace)
	pages, seen := 0, map[string]bool{}
	lists := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		pages++
		if pages == 2 {
			if err := client.Delete(ctx, "paged-9", metav1.DeleteOptions{}); err != nil {
				return nil, err
			}
		}
		return client.List(ctx, options)
	})
	lists.PageSize = 7
	lists.PageBufferSize = 0
	err := lists.EachListItem(ctx, metav1.ListOptions{LabelSelector: "for=paged"}, func(object runtime.Object) error {
		seen[object.(*corev1.ConfigMap).Name] = true
		return nil
	})
	if err != nil {
		return err
	}
	if err := same("pages", pages, 4); err != nil {
		return err
	}
	// All pages are of one moment.
	return same("maps in pages", len(seen), 25)
}

// A watch that ends, one that goes on by itself, and bookmarks.
func (c *chores) watch(ctx context.Context, namespace string) error {
	client := c.clients.typed.CoreV1().ConfigMaps(namespace)
	list, err := client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	options := metav1.ListOptions{ResourceVersion: list.ResourceVersion, LabelSelector: "for=watched"}
	short := options
	short.TimeoutSeconds = ptr.To[int64](1)
	short.AllowWatchBookmarks = true
	brief, err := client.Watch(ctx, short)
	if err != nil {
		return err
	}
	if err := c.makeMaps(ctx, namespace, 3, "watched"); err != nil {
		return err
	}
	added := 0
	for event := range brief.ResultChan() {
		switch event.Type {
		case watch.Added:
			added++
		case watch.Bookmark:
		default:
			return fmt.Errorf("a brief watch saw %v", event)
		}
	}
	if err := same("maps that a brief watch saw", added, 3); err != nil {
		return err
	}
	// Each of its requests ends after a second; it goes on from where it was.
	lists := &cache.ListWatch{WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		options.LabelSelector = "for=watched"
		options.TimeoutSeconds = ptr.To[int64](1)
		return client.Watch(ctx, options)
	}}
	watching, err := watchtools.NewRetryWatcherWithContext(ctx, list.ResourceVersion, lists)
	if err != nil {
		return err
	}
	defer watching.Stop()
	ends := time.After(1500 * time.Millisecond)
	seen := 0
	for seen < 4 {
		select {
		case event, open := <-watching.ResultChan():
			switch {
			case !open:
				return errors.New("the watch ended")
			case event.Type == watch.Added && seen < 3, event.Type == watch.Deleted && seen == 3:
				seen++
			case event.Type == watch.Bookmark:
			default:
				return fmt.Errorf("after %d events: %v", seen, event)
			}
		case <-ends:
			// By now the first request has ended.
			if err := client.Delete(ctx, "watched-1", metav1.DeleteOptions{}); err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("%d events: %w", seen, ctx.Err())
		}
	}
	return nil
}
