package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsapply "k8s.io/client-go/applyconfigurations/apps/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
)

func deployment(name string, replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "main:1"}}},
			},
		},
	}
}

// Patches of all forms.
func (c *chores) patch(ctx context.Context, namespace string) error {
	deployments := c.clients.typed.AppsV1().Deployments(namespace)
	if _, err := deployments.Create(ctx, deployment("patched", 0), metav1.CreateOptions{}); err != nil {
		return err
	}
	strategic := `{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"side:1"}]}}}}`
	made, err := deployments.Patch(ctx, "patched", types.StrategicMergePatchType, []byte(strategic), metav1.PatchOptions{})
	if err != nil {
		return err
	}
	if err := same("containers", len(made.Spec.Template.Spec.Containers), 2); err != nil {
		return err
	}
	steps := `[{"op":"test","path":"/spec/replicas","value":0},{"op":"add","path":"/metadata/labels","value":{"a":"b"}}]`
	if made, err = deployments.Patch(ctx, "patched", types.JSONPatchType, []byte(steps), metav1.PatchOptions{}); err != nil {
		return err
	}
	if err := same("label", made.Labels["a"], "b"); err != nil {
		return err
	}
	merge := `{"metadata":{"labels":{"a":null}}}`
	if made, err = deployments.Patch(ctx, "patched", types.MergePatchType, []byte(merge), metav1.PatchOptions{}); err != nil {
		return err
	}
	return same("labels", len(made.Labels), 0)
}

// Server-side apply with typed configurations: owners, conflicts, and what they own read back.
func (c *chores) apply(ctx context.Context, namespace string) error {
	client := c.clients.typed.CoreV1().ConfigMaps(namespace)
	first := coreapply.ConfigMap("applied", namespace).WithLabels(map[string]string{"a": "b"}).
		WithData(map[string]string{"one": "1", "both": "1"})
	made, err := client.Apply(ctx, first, metav1.ApplyOptions{FieldManager: "first"})
	if err != nil {
		return err
	}
	again, err := client.Apply(ctx, first, metav1.ApplyOptions{FieldManager: "first"})
	if err != nil {
		return err
	}
	if err := same("version after the same again", again.ResourceVersion, made.ResourceVersion); err != nil {
		return err
	}
	second := coreapply.ConfigMap("applied", namespace).WithData(map[string]string{"two": "2", "both": "2"})
	_, err = client.Apply(ctx, second, metav1.ApplyOptions{FieldManager: "second"})
	if err := expect(err, apierrors.IsConflict, "a field of another's"); err != nil {
		return err
	}
	if !apierrors.HasStatusCause(err, metav1.CauseTypeFieldManagerConflict) {
		return fmt.Errorf("no cause of a conflict in %w", err)
	}
	made, err = client.Apply(ctx, second, metav1.ApplyOptions{FieldManager: "second", Force: true})
	if err != nil {
		return err
	}
	for owner, wanted := range map[string]*coreapply.ConfigMapApplyConfiguration{
		"first":  coreapply.ConfigMap("applied", namespace).WithLabels(map[string]string{"a": "b"}).WithData(map[string]string{"one": "1"}),
		"second": second,
	} {
		owned, err := coreapply.ExtractConfigMap(made, owner)
		if err != nil {
			return err
		}
		if !equality.Semantic.DeepEqual(owned, wanted) {
			return fmt.Errorf("%s owns %v", owner, owned.Data)
		}
	}
	return c.applyNested(ctx, namespace)
}

// Lists with keys: containers, ports and environment of two owners in one deployment.
func (c *chores) applyNested(ctx context.Context, namespace string) error {
	deployments := c.clients.typed.AppsV1().Deployments(namespace)
	labels := map[string]string{"app": "nested"}
	main := coreapply.Container().WithName("main").WithImage("main:1").
		WithPorts(coreapply.ContainerPort().WithName("web").WithContainerPort(80).WithProtocol(corev1.ProtocolTCP)).
		WithEnv(coreapply.EnvVar().WithName("A").WithValue("1"))
	pods := func(containers ...*coreapply.ContainerApplyConfiguration) *coreapply.PodTemplateSpecApplyConfiguration {
		return coreapply.PodTemplateSpec().WithLabels(labels).WithSpec(coreapply.PodSpec().WithContainers(containers...))
	}
	whole := func(pods *coreapply.PodTemplateSpecApplyConfiguration) *appsapply.DeploymentApplyConfiguration {
		return appsapply.Deployment("nested", namespace).WithSpec(appsapply.DeploymentSpec().WithReplicas(0).
			WithSelector(metaapply.LabelSelector().WithMatchLabels(labels)).WithTemplate(pods))
	}
	if _, err := deployments.Apply(ctx, whole(pods(main)), metav1.ApplyOptions{FieldManager: "first"}); err != nil {
		return err
	}
	side := appsapply.Deployment("nested", namespace).WithSpec(appsapply.DeploymentSpec().WithTemplate(coreapply.PodTemplateSpec().
		WithSpec(coreapply.PodSpec().WithContainers(coreapply.Container().WithName("side").WithImage("side:1"),
			coreapply.Container().WithName("main").WithEnv(coreapply.EnvVar().WithName("B").WithValue("2"))))))
	made, err := deployments.Apply(ctx, side, metav1.ApplyOptions{FieldManager: "second"})
	if err != nil {
		return err
	}
	if err := same("containers", len(made.Spec.Template.Spec.Containers), 2); err != nil {
		return err
	}
	owned, err := appsapply.ExtractDeployment(made, "first")
	if err != nil {
		return err
	}
	if !equality.Semantic.DeepEqual(owned, whole(pods(main))) {
		return errors.New("what was applied is not what is owned")
	}
	// The first one lets go of a port and a variable; the other's stay.
	main.Ports, main.Env = nil, nil
	if made, err = deployments.Apply(ctx, whole(pods(main)), metav1.ApplyOptions{FieldManager: "first"}); err != nil {
		return err
	}
	for _, it := range made.Spec.Template.Spec.Containers {
		if it.Name == "main" && (len(it.Ports) != 0 || len(it.Env) != 1 || it.Env[0].Name != "B") {
			return fmt.Errorf("after letting go: %v %v", it.Ports, it.Env)
		}
	}
	return nil
}

// Writes that come too late, and what they are told.
func (c *chores) conflict(ctx context.Context, namespace string) error {
	client := c.clients.typed.CoreV1().ConfigMaps(namespace)
	old, err := client.Create(ctx, maps(namespace, 1, "raced")[0], metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = client.Create(ctx, maps(namespace, 1, "raced")[0], metav1.CreateOptions{})
	if err := expect(err, apierrors.IsAlreadyExists, "the same name again"); err != nil {
		return err
	}
	newer := old.DeepCopy()
	newer.Data["number"] = "1"
	if _, err := client.Update(ctx, newer, metav1.UpdateOptions{}); err != nil {
		return err
	}
	_, err = client.Update(ctx, old, metav1.UpdateOptions{})
	if err := expect(err, apierrors.IsConflict, "an old version"); err != nil {
		return err
	}
	attempts := 0
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		attempts++
		if attempts > 1 {
			if old, err = client.Get(ctx, old.Name, metav1.GetOptions{}); err != nil {
				return err
			}
		}
		_, err := client.Update(ctx, old, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	if err := same("attempts", attempts, 2); err != nil {
		return err
	}
	other := types.UID("11111111-2222-3333-4444-555555555555")
	err = client.Delete(ctx, old.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &other}})
	if err := expect(err, apierrors.IsConflict, "another's uid"); err != nil {
		return err
	}
	generated, err := client.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "any-"}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return same("length of a generated name", len(generated.Name), len("any-")+5)
}

// What is tried and not done, and what is refused for its fields.
func (c *chores) dryRun(ctx context.Context, namespace string) error {
	client := c.clients.typed.CoreV1().ConfigMaps(namespace)
	tried := maps(namespace, 1, "tried")[0]
	made, err := client.Create(ctx, tried, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return err
	}
	if made.UID == "" {
		return errors.New("a dry run gave no uid")
	}
	_, err = client.Get(ctx, tried.Name, metav1.GetOptions{})
	if err := expect(err, apierrors.IsNotFound, "what was only tried"); err != nil {
		return err
	}
	tried.Data["not/a/key"] = "x"
	_, err = client.Create(ctx, tried, metav1.CreateOptions{})
	if err := expect(err, apierrors.IsInvalid, "a key that is none"); err != nil {
		return err
	}
	wrong := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"colour": "red", "color": "red"}}}
	wrong.SetGroupVersionKind(siteKind)
	wrong.SetName("wrong")
	options := metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict, DryRun: []string{metav1.DryRunAll}}
	_, err = c.clients.dynamic.Resource(sites).Namespace(namespace).Create(ctx, wrong, options)
	if err := expect(err, apierrors.IsBadRequest, "a field that is unknown"); err != nil {
		return err
	}
	if !strings.Contains(err.Error(), `strict decoding error: unknown field "spec.color"`) {
		return err
	}
	wrong.Object["spec"] = map[string]any{"colour": "red", "replicas": int64(9)}
	_, err = c.clients.dynamic.Resource(sites).Namespace(namespace).Create(ctx, wrong, options)
	return expect(err, apierrors.IsInvalid, "a rule that is broken")
}

// The scale subresource: typed, by apply, and of any kind by its discovery.
func (c *chores) scale(ctx context.Context, namespace string) error {
	deployments := c.clients.typed.AppsV1().Deployments(namespace)
	if _, err := deployments.Create(ctx, deployment("scaled", 0), metav1.CreateOptions{}); err != nil {
		return err
	}
	// The deployment's controller writes as well, so that any of these may come too late.
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		typed, err := deployments.GetScale(ctx, "scaled", metav1.GetOptions{})
		if err != nil {
			return err
		}
		typed.Spec.Replicas = 1
		if typed, err = deployments.UpdateScale(ctx, "scaled", typed, metav1.UpdateOptions{}); err != nil {
			return err
		}
		return same("replicas", typed.Spec.Replicas, 1)
	})
	if err != nil {
		return err
	}
	if err := c.rescale(ctx, namespace, schema.GroupResource{Group: "apps", Resource: "deployments"}, "scaled", 0); err != nil {
		return err
	}
	made, err := deployments.Get(ctx, "scaled", metav1.GetOptions{})
	if err != nil {
		return err
	}
	return same("replicas of the deployment", *made.Spec.Replicas, 0)
}

// Sets the replicas of any kind that has the scale subresource.
func (c *chores) rescale(ctx context.Context, namespace string, resource schema.GroupResource, name string, replicas int32) error {
	client := c.clients.scales.Scales(namespace)
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		scale, err := client.Get(ctx, resource, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		scale.Spec.Replicas = replicas
		scale, err = client.Update(ctx, resource, scale, metav1.UpdateOptions{})
		if err != nil {
			return err
		}
		return same("replicas", scale.Spec.Replicas, replicas)
	})
}

// Pods that a budget holds back.
func (c *chores) evict(ctx context.Context, namespace string) error {
	deployments := c.clients.typed.AppsV1().Deployments(namespace)
	if _, err := deployments.Create(ctx, deployment("held", 1), metav1.CreateOptions{}); err != nil {
		return err
	}
	ready := func(it *appsv1.Deployment) bool { return it != nil && it.Status.ReadyReplicas == 1 }
	if err := until(ctx, "held", deployments.List, deployments.Watch, ready); err != nil {
		return err
	}
	budgets := c.clients.typed.PolicyV1().PodDisruptionBudgets(namespace)
	budget := &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "held"},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: ptr.To(intstr.FromInt32(1)),
			Selector:     &metav1.LabelSelector{MatchLabels: map[string]string{"app": "held"}},
		},
	}
	if _, err := budgets.Create(ctx, budget, metav1.CreateOptions{}); err != nil {
		return err
	}
	counted := func(it *policyv1.PodDisruptionBudget) bool {
		return it != nil && it.Status.ObservedGeneration == it.Generation && it.Status.CurrentHealthy == 1
	}
	if err := until(ctx, "held", budgets.List, budgets.Watch, counted); err != nil {
		return err
	}
	pods, err := c.clients.typed.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=held"})
	if err != nil {
		return err
	}
	if len(pods.Items) != 1 {
		return fmt.Errorf("%d pods", len(pods.Items))
	}
	eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pods.Items[0].Name, Namespace: namespace}}
	// Asked without waiting by itself: the answer says after how long to come again.
	err = c.clients.typed.PolicyV1().RESTClient().Post().AbsPath("/api/v1").Namespace(namespace).Resource("pods").Name(eviction.Name).
		SubResource("eviction").MaxRetries(0).Body(eviction).Do(ctx).Error()
	if err := expect(err, apierrors.IsTooManyRequests, "a pod that a budget needs"); err != nil {
		return err
	}
	if !apierrors.HasStatusCause(err, policyv1.DisruptionBudgetCause) {
		return fmt.Errorf("the budget is no cause of %w", err)
	}
	if err := budgets.Delete(ctx, "held", metav1.DeleteOptions{}); err != nil {
		return err
	}
	return c.clients.typed.PolicyV1().Evictions(namespace).Evict(ctx, eviction)
}

// Owners and what they own: in the foreground what is owned goes first, in the background after, and orphans stay.
func (c *chores) garbage(ctx context.Context, namespace string) error {
	client := c.clients.typed.CoreV1().ConfigMaps(namespace)
	for policy, stays := range map[metav1.DeletionPropagation]bool{
		metav1.DeletePropagationForeground: false, metav1.DeletePropagationBackground: false, metav1.DeletePropagationOrphan: true,
	} {
		both := maps(namespace, 2, "owned")
		owner, err := client.Create(ctx, both[0], metav1.CreateOptions{})
		if err != nil {
			return err
		}
		both[1].OwnerReferences = []metav1.OwnerReference{{
			APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID, BlockOwnerDeletion: ptr.To(true), Controller: ptr.To(true),
		}}
		if _, err := client.Create(ctx, both[1], metav1.CreateOptions{}); err != nil {
			return err
		}
		if err := client.Delete(ctx, owner.Name, metav1.DeleteOptions{PropagationPolicy: &policy}); err != nil {
			return err
		}
		gone := func(it *corev1.ConfigMap) bool { return it == nil }
		if err := until(ctx, owner.Name, client.List, client.Watch, gone); err != nil {
			return err
		}
		switch {
		case stays:
			free := func(it *corev1.ConfigMap) bool { return it != nil && len(it.OwnerReferences) == 0 }
			if err := until(ctx, both[1].Name, client.List, client.Watch, free); err != nil {
				return err
			}
			if err := client.Delete(ctx, both[1].Name, metav1.DeleteOptions{}); err != nil {
				return err
			}
		case policy == metav1.DeletePropagationForeground:
			_, err := client.Get(ctx, both[1].Name, metav1.GetOptions{})
			if err := expect(err, apierrors.IsNotFound, "what went first"); err != nil {
				return err
			}
		default:
			if err := until(ctx, both[1].Name, client.List, client.Watch, gone); err != nil {
				return err
			}
		}
	}
	return nil
}

// A collection deleted by label, the rest untouched.
func (c *chores) deleteCollection(ctx context.Context, namespace string) error {
	client := c.clients.typed.CoreV1().ConfigMaps(namespace)
	if err := c.makeMaps(ctx, namespace, 5, "many"); err != nil {
		return err
	}
	all, err := client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if err := client.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "for=many"}); err != nil {
		return err
	}
	left, err := client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	return same("maps that are left", len(left.Items), len(all.Items)-5)
}
