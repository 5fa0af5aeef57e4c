package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/record"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/utils/ptr"
)

// How long one chore may take.
const patience = 30 * time.Second

// Everything that client-go does with a server besides reconciling, each in a few lines, with the outcome compared.
type chores struct {
	id      string
	clients *clients
	newer   events.EventRecorder
	older   record.EventRecorder
	rounds  int
}

func newChores(id string, clients *clients, newer events.EventBroadcaster, older record.EventBroadcaster) *chores {
	return &chores{
		id:      id,
		clients: clients,
		newer:   newer.NewRecorder(scheme.Scheme, "example.io/chores"),
		older:   older.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "chores"}),
	}
}

// One round, in a namespace of its own that is gone at its end.
func (c *chores) round(ctx context.Context) {
	c.rounds++
	namespace := fmt.Sprintf("chores-%s-%d", c.id, c.rounds)
	all := []struct {
		name string
		do   func(ctx context.Context, namespace string) error
	}{
		{"namespace", c.makeNamespace},
		{"discovery", c.discover},
		{"documents", c.readDocuments},
		{"pages", c.readPages},
		{"patches", c.patch},
		{"apply", c.apply},
		{"conflicts", c.conflict},
		{"dry runs", c.dryRun},
		{"scale", c.scale},
		{"custom objects", c.custom},
		{"forms", c.forms},
		{"tokens and access", c.access},
		{"garbage", c.garbage},
		{"watches", c.watch},
		{"events", c.events},
		{"eviction", c.evict},
		{"collection", c.deleteCollection},
		{"namespace's end", c.endNamespace},
	}
	for _, it := range all {
		begin := time.Now()
		limited, cancel := context.WithTimeout(ctx, patience)
		err := it.do(limited, namespace)
		cancel()
		more := details{"chore": it.name, "took": time.Since(begin).Milliseconds()}
		if err != nil {
			more["error"] = err.Error()
		}
		say("chore", more)
	}
	say("chores-done", nil)
}

func (c *chores) makeNamespace(ctx context.Context, namespace string) error {
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	_, err := c.clients.typed.CoreV1().Namespaces().Create(ctx, made, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	accounts := c.clients.typed.CoreV1().ServiceAccounts(namespace)
	return until(ctx, "default", accounts.List, accounts.Watch, func(it *corev1.ServiceAccount) bool { return it != nil })
}

func (c *chores) endNamespace(ctx context.Context, namespace string) error {
	namespaces := c.clients.typed.CoreV1().Namespaces()
	if err := namespaces.Delete(ctx, namespace, metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)}); err != nil {
		return err
	}
	err := until(ctx, namespace, namespaces.List, namespaces.Watch, func(it *corev1.Namespace) bool { return it == nil })
	if err != nil {
		return err
	}
	left, err := c.clients.typed.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{})
	if err == nil && len(left.Items) > 0 {
		return fmt.Errorf("%d maps are left", len(left.Items))
	}
	return err
}

// Waits by list and watch until the object of this name is as it should be; nil stands for one that is not there.
func until[L runtime.Object, T runtime.Object](
	ctx context.Context,
	name string,
	list func(context.Context, metav1.ListOptions) (L, error),
	follow func(context.Context, metav1.ListOptions) (watch.Interface, error),
	is func(T) bool,
) error {
	one := fields.OneTermEqualSelector("metadata.name", name).String()
	lists := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = one
			return list(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = one
			return follow(ctx, options)
		},
	}
	var none T
	kind := reflect.New(reflect.TypeFor[T]().Elem()).Interface().(T)
	absent := func(store cache.Store) (bool, error) { return len(store.List()) == 0 && is(none), nil }
	_, err := watchtools.UntilWithSync(ctx, lists, kind, absent, func(event watch.Event) (bool, error) {
		object, ok := event.Object.(T)
		switch {
		case !ok:
			return false, apierrors.FromObject(event.Object)
		case event.Type == watch.Deleted:
			return is(none), nil
		default:
			return is(object), nil
		}
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", name, err)
	}
	return nil
}

// An answer that should have been a failure of this sort.
func expect(err error, is func(error) bool, what string) error {
	switch {
	case err == nil:
		return errors.New("not refused: " + what)
	case !is(err):
		return fmt.Errorf("%s, but: %w", what, err)
	default:
		return nil
	}
}

// That two values are the same.
func same[T comparable](what string, found, wanted T) error {
	if found != wanted {
		return fmt.Errorf("%s: found %v, wanted %v", what, found, wanted)
	}
	return nil
}
