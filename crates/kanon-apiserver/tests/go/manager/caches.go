package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
)

// How often the informer of namespaces hands out all it has again.
const resync = 2 * time.Second

// Informers of every sort: typed, dynamic, of metadata alone.
type caches struct {
	typed    informers.SharedInformerFactory
	dynamic  dynamicinformer.DynamicSharedInformerFactory
	metadata metadatainformer.SharedInformerFactory
	by       map[string]cache.SharedIndexInformer
	sites    cache.GenericLister
}

func newCaches(clients *clients) *caches {
	c := &caches{
		typed: informers.NewSharedInformerFactoryWithOptions(clients.cachedTyped, 0, informers.WithTransform(withoutManagers),
			informers.WithCustomResyncConfig(map[metav1.Object]time.Duration{&corev1.Namespace{}: resync})),
		dynamic:  dynamicinformer.NewDynamicSharedInformerFactory(clients.cachedDynamic, 0),
		metadata: metadatainformer.NewSharedInformerFactory(clients.cachedMetadata, 0),
	}
	c.sites = c.dynamic.ForResource(sites).Lister()
	replicaSets := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "replicasets"}
	accounts := schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
	c.by = map[string]cache.SharedIndexInformer{
		"pods":            c.typed.Core().V1().Pods().Informer(),
		"configmaps":      c.typed.Core().V1().ConfigMaps().Informer(),
		"namespaces":      c.typed.Core().V1().Namespaces().Informer(),
		"deployments":     c.typed.Apps().V1().Deployments().Informer(),
		"sites":           c.dynamic.ForResource(sites).Informer(),
		"replicasets":     c.metadata.ForResource(replicaSets).Informer(),
		"serviceaccounts": c.metadata.ForResource(accounts).Informer(),
	}
	return c
}

// Nobody here reads who manages what.
func withoutManagers(object any) (any, error) {
	if accessor, err := meta.Accessor(object); err == nil {
		accessor.SetManagedFields(nil)
	}
	return object, nil
}

// Starts them and waits until they have all that there is.
func (c *caches) start(ctx context.Context, controller *controller) error {
	for name, informer := range c.by {
		handlers := []cache.ResourceEventHandler{newOrder(name)}
		switch name {
		case "sites":
			handlers = append(handlers, handler(controller.site))
		case "configmaps", "deployments":
			handlers = append(handlers, handler(controller.owned))
		}
		for _, it := range handlers {
			if _, err := informer.AddEventHandler(it); err != nil {
				return err
			}
		}
		err := informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, reflector *cache.Reflector, err error) {
			say("watch-failed", details{"cache": name, "error": err.Error()})
			counts.add("watch failed " + name)
		})
		if err != nil {
			return err
		}
	}
	c.typed.StartWithContext(ctx)
	c.dynamic.Start(ctx.Done())
	c.metadata.Start(ctx.Done())
	for name, informer := range c.by {
		if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
			return fmt.Errorf("the cache of %s does not fill", name)
		}
	}
	return nil
}

// The versions of everything in the caches.
func (c *caches) versions() map[string]map[string]string {
	all := map[string]map[string]string{}
	for name, informer := range c.by {
		versions := map[string]string{}
		for _, object := range informer.GetStore().List() {
			if accessor, err := meta.Accessor(object); err == nil {
				versions[accessor.GetNamespace()+"/"+accessor.GetName()] = accessor.GetResourceVersion()
			}
		}
		all[name] = versions
	}
	return all
}

// Calls this with every object that is new, changed or gone.
func handler(tell func(metav1.Object)) cache.ResourceEventHandler {
	each := func(object any) {
		if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = gone.Obj
		}
		if accessor, err := meta.Accessor(object); err == nil {
			tell(accessor)
		}
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: each, UpdateFunc: func(_, object any) { each(object) }, DeleteFunc: each}
}

// Holds the order of what a handler is told: nothing twice, nothing older after something newer.
type order struct {
	name string
	sync.Mutex
	versions map[string]uint64
}

func newOrder(name string) cache.ResourceEventHandler {
	o := &order{name: name, versions: map[string]uint64{}}
	return cache.ResourceEventHandlerFuncs{AddFunc: o.added, UpdateFunc: o.changed, DeleteFunc: o.gone}
}

func (o *order) see(object any, check func(known, version uint64, there bool) error) {
	accessor, err := meta.Accessor(object)
	if err != nil {
		problem("order of "+o.name, err)
		return
	}
	version, err := strconv.ParseUint(accessor.GetResourceVersion(), 10, 64)
	if err != nil {
		problem("order of "+o.name, err)
		return
	}
	key := accessor.GetNamespace() + "/" + accessor.GetName()
	o.Lock()
	defer o.Unlock()
	known, there := o.versions[key]
	if err := check(known, version, there); err != nil {
		problem("order of "+o.name, fmt.Errorf("%s at %d after %d: %w", key, version, known, err))
	}
	o.versions[key] = version
}

func (o *order) added(object any) {
	counts.add("added " + o.name)
	o.see(object, func(_, _ uint64, there bool) error {
		if there {
			return errors.New("added twice")
		}
		return nil
	})
}

func (o *order) changed(_, object any) {
	o.see(object, func(known, version uint64, there bool) error {
		switch {
		case !there:
			return errors.New("changed before it was added")
		case version < known:
			return errors.New("time went back")
		case version == known:
			counts.add("again " + o.name)
		default:
			counts.add("changed " + o.name)
		}
		return nil
	})
}

func (o *order) gone(object any) {
	counts.add("gone " + o.name)
	if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
		counts.add("gone unseen " + o.name)
		object = unknown.Obj
	}
	o.see(object, func(_, _ uint64, there bool) error {
		if !there {
			return errors.New("gone before it was added")
		}
		return nil
	})
	if accessor, err := meta.Accessor(object); err == nil {
		o.Lock()
		delete(o.versions, accessor.GetNamespace()+"/"+accessor.GetName())
		o.Unlock()
	}
}
