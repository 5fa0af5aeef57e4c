package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	appsapply "k8s.io/client-go/applyconfigurations/apps/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/retry"
	"k8s.io/client-go/util/workqueue"
)

const (
	finalizer = "example.io/record"
	// Who owns what is applied.
	manager = "sites"
)

type site struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Colour   string `json:"colour"`
		Replicas int32  `json:"replicas"`
	} `json:"spec"`
	Status siteStatus `json:"status"`
}

type siteStatus struct {
	ObservedGeneration int64  `json:"observedGeneration"`
	Colour             string `json:"colour"`
	Replicas           int32  `json:"replicas"`
	Selector           string `json:"selector"`
}

// Reconciles sites: each has a record of its own (which goes with its finalizer), settings and a deployment (which go with it).
type controller struct {
	id       string
	clients  *clients
	caches   *caches
	recorder events.EventRecorder
	queue    workqueue.TypedRateLimitingInterface[types.NamespacedName]
}

func newController(id string, clients *clients, caches *caches, recorder events.EventRecorder) *controller {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[types.NamespacedName](10*time.Millisecond, 2*time.Second)
	return &controller{id, clients, caches, recorder, workqueue.NewTypedRateLimitingQueue(limiter)}
}

// A site is new, changed or gone.
func (c *controller) site(object metav1.Object) {
	c.queue.Add(types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()})
}

// Something that a site may own is.
func (c *controller) owned(object metav1.Object) {
	if owner := metav1.GetControllerOf(object); owner != nil && owner.Kind == siteKind.Kind {
		c.queue.Add(types.NamespacedName{Namespace: object.GetNamespace(), Name: owner.Name})
	}
}

// Works until the context ends, and then until the last worker is done.
func (c *controller) work(ctx context.Context, workers int) {
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for {
				key, over := c.queue.Get()
				if over {
					return
				}
				c.handle(ctx, key)
			}
		})
	}
	<-ctx.Done()
	c.queue.ShutDown()
	all.Wait()
}

func (c *controller) handle(ctx context.Context, key types.NamespacedName) {
	defer c.queue.Done(key)
	err := c.reconcile(ctx, key)
	switch {
	case err == nil:
		counts.add("reconciled")
		c.queue.Forget(key)
		return
	case ctx.Err() != nil:
		return
	case apierrors.IsConflict(err):
		counts.add("conflict")
	case apierrors.IsNotFound(err):
		// Somebody takes away what was there a moment ago, such as the end of a namespace; the cache will soon say so.
		counts.add("vanished")
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		counts.add("namespace ends")
		return
	case apierrors.ReasonForError(err) == metav1.StatusReasonUnknown:
		// The server is away.
		counts.add("unanswered")
	default:
		problem("reconciling "+key.String(), err)
	}
	c.queue.AddRateLimited(key)
}

func (c *controller) reconcile(ctx context.Context, key types.NamespacedName) error {
	found, err := c.caches.sites.ByNamespace(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	whole := found.(*unstructured.Unstructured)
	var it site
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(whole.Object, &it); err != nil {
		return err
	}
	has := slices.Contains(it.Finalizers, finalizer)
	switch {
	case it.DeletionTimestamp != nil && !has:
		return nil
	case it.DeletionTimestamp != nil:
		err := c.clients.typed.CoreV1().ConfigMaps(it.Namespace).Delete(ctx, recordOf(it.Name), metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		return c.finalizers(ctx, whole, slices.DeleteFunc(slices.Clone(it.Finalizers), func(it string) bool { return it == finalizer }))
	case !has:
		return c.finalizers(ctx, whole, append(slices.Clone(it.Finalizers), finalizer))
	}
	if err := c.record(ctx, &it); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if err := c.apply(ctx, &it); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	if err := c.status(ctx, &it); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	return nil
}

// Sets the finalizers of exactly the object that was looked at.
func (c *controller) finalizers(ctx context.Context, whole *unstructured.Unstructured, finalizers []string) error {
	changed := whole.DeepCopy()
	changed.SetFinalizers(finalizers)
	_, err := c.clients.dynamic.Resource(sites).Namespace(whole.GetNamespace()).Update(ctx, changed, metav1.UpdateOptions{FieldManager: manager})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func recordOf(name string) string { return name + "-record" }

// Keeps the record, which nothing but the finalizer takes away: created or updated, by what the server has and not the cache.
func (c *controller) record(ctx context.Context, it *site) error {
	maps := c.clients.typed.CoreV1().ConfigMaps(it.Namespace)
	wanted := map[string]string{"uid": string(it.UID), "colour": it.Spec.Colour}
	there, err := maps.Get(ctx, recordOf(it.Name), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		made := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: recordOf(it.Name), Labels: map[string]string{"record": "yes"}}, Data: wanted}
		_, err = maps.Create(ctx, made, metav1.CreateOptions{})
		return err
	}
	if err != nil || equality.Semantic.DeepEqual(there.Data, wanted) {
		return err
	}
	there.Data = wanted
	_, err = maps.Update(ctx, there, metav1.UpdateOptions{})
	return err
}

// Applies what the site owns.
func (c *controller) apply(ctx context.Context, it *site) error {
	owner := metaapply.OwnerReference().WithAPIVersion(siteKind.GroupVersion().String()).WithKind(siteKind.Kind).
		WithName(it.Name).WithUID(it.UID).WithController(true).WithBlockOwnerDeletion(true)
	options := metav1.ApplyOptions{FieldManager: manager, Force: true}
	settings := coreapply.ConfigMap(it.Name, it.Namespace).WithOwnerReferences(owner).WithData(map[string]string{"colour": it.Spec.Colour})
	if _, err := c.clients.typed.CoreV1().ConfigMaps(it.Namespace).Apply(ctx, settings, options); err != nil {
		return err
	}
	labels := map[string]string{"site": it.Name}
	deployment := appsapply.Deployment(it.Name, it.Namespace).WithOwnerReferences(owner).WithSpec(appsapply.DeploymentSpec().
		WithReplicas(it.Spec.Replicas).
		WithSelector(metaapply.LabelSelector().WithMatchLabels(labels)).
		WithTemplate(coreapply.PodTemplateSpec().WithLabels(labels).WithSpec(coreapply.PodSpec().WithContainers(
			coreapply.Container().WithName("site").WithImage("site:1").WithEnv(coreapply.EnvVar().WithName("COLOUR").WithValue(it.Spec.Colour)),
		))))
	_, err := c.clients.typed.AppsV1().Deployments(it.Namespace).Apply(ctx, deployment, options)
	return err
}

// Says in the status what was seen and what is there.
func (c *controller) status(ctx context.Context, it *site) error {
	resource := c.clients.dynamic.Resource(sites).Namespace(it.Namespace)
	deployment, err := c.clients.typed.AppsV1().Deployments(it.Namespace).Get(ctx, it.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	wanted := siteStatus{
		ObservedGeneration: it.Generation,
		Colour:             it.Spec.Colour,
		Replicas:           deployment.Status.ReadyReplicas,
		Selector:           "site=" + it.Name,
	}
	if it.Status == wanted {
		return nil
	}
	painted := false
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		whole, err := resource.Get(ctx, it.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		status, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&wanted)
		if err != nil {
			return err
		}
		before, _, err := unstructured.NestedString(whole.Object, "status", "colour")
		if err != nil {
			return err
		}
		painted = before != wanted.Colour
		whole.Object["status"] = status
		_, err = resource.UpdateStatus(ctx, whole, metav1.UpdateOptions{FieldManager: manager})
		return err
	})
	if err == nil && painted {
		c.recorder.Eventf(it, nil, corev1.EventTypeNormal, "Painted", "Reconcile", "the site is %s", wanted.Colour)
	}
	return err
}

// DeepCopyObject makes a site something that events can be about.
func (s *site) DeepCopyObject() runtime.Object {
	copied := *s
	s.ObjectMeta.DeepCopyInto(&copied.ObjectMeta)
	return &copied
}
