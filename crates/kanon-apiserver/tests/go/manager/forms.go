package main

import (
	"context"
	"fmt"
	"reflect"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/diff"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
)

// Looks again soon.
func tick() <-chan time.Time { return time.After(50 * time.Millisecond) }

// Objects of many kinds, written in one form and read in both: protobuf and JSON say the same.
func (c *chores) forms(ctx context.Context, namespace string) error {
	for _, it := range specimens() {
		if err := c.form(ctx, namespace, it.resource, it.object); err != nil {
			return fmt.Errorf("%s: %w", it.resource, err)
		}
	}
	return nil
}

func (c *chores) client(version schema.GroupVersion, form string) (rest.Interface, error) {
	config := c.clients.config("forms")
	config.ContentType, config.AcceptContentTypes = form, form
	config.GroupVersion, config.APIPath = &version, "/apis"
	if version.Group == "" {
		config.APIPath = "/api"
	}
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	return rest.RESTClientFor(config)
}

func (c *chores) form(ctx context.Context, namespace, resource string, object runtime.Object) error {
	kinds, _, err := scheme.Scheme.ObjectKinds(object)
	if err != nil {
		return err
	}
	empty := func() runtime.Object { return reflect.New(reflect.TypeOf(object).Elem()).Interface().(runtime.Object) }
	forms := []string{protobuf, runtime.ContentTypeJSON}
	for _, written := range forms {
		writer, err := c.client(kinds[0].GroupVersion(), written)
		if err != nil {
			return err
		}
		made := empty()
		if err := writer.Post().Namespace(namespace).Resource(resource).Body(object).Do(ctx).Into(made); err != nil {
			return fmt.Errorf("written in %s: %w", written, err)
		}
		for _, read := range forms {
			reader, err := c.client(kinds[0].GroupVersion(), read)
			if err != nil {
				return err
			}
			found := empty()
			if err := reader.Get().Namespace(namespace).Resource(resource).Name("specimen").Do(ctx).Into(found); err != nil {
				return fmt.Errorf("read in %s: %w", read, err)
			}
			// What controllers add meanwhile is not the question.
			for _, it := range []runtime.Object{made, found} {
				settle(it)
			}
			if !equality.Semantic.DeepEqual(made, found) {
				return fmt.Errorf("written in %s and read in %s: %s", written, read, diff.Diff(made, found))
			}
		}
		if err := writer.Delete().Namespace(namespace).Resource(resource).Name("specimen").Body(&metav1.DeleteOptions{
			GracePeriodSeconds: ptr.To[int64](0), PropagationPolicy: ptr.To(metav1.DeletePropagationBackground),
		}).Do(ctx).Error(); err != nil {
			return fmt.Errorf("deleted: %w", err)
		}
	}
	return nil
}

// Takes away what others write into an object at any time.
func settle(object runtime.Object) {
	object.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	if accessor, ok := object.(metav1.Object); ok {
		accessor.SetManagedFields(nil)
		accessor.SetResourceVersion("")
		accessor.SetAnnotations(nil)
		accessor.SetFinalizers(nil)
	}
	switch it := object.(type) {
	case *corev1.Pod:
		it.Status = corev1.PodStatus{}
		it.Spec.NodeName = ""
	case *appsv1.StatefulSet:
		it.Status = appsv1.StatefulSetStatus{}
		// Protobuf has no place for the kind of a claim's template.
		for at := range it.Spec.VolumeClaimTemplates {
			it.Spec.VolumeClaimTemplates[at].TypeMeta = metav1.TypeMeta{}
		}
	case *appsv1.DaemonSet:
		it.Status = appsv1.DaemonSetStatus{}
	case *batchv1.Job:
		it.Status = batchv1.JobStatus{}
	case *batchv1.CronJob:
		it.Status = batchv1.CronJobStatus{}
	case *policyv1.PodDisruptionBudget:
		it.Status = policyv1.PodDisruptionBudgetStatus{}
	case *corev1.PersistentVolumeClaim:
		it.Status = corev1.PersistentVolumeClaimStatus{}
	}
}

type specimen struct {
	resource string
	object   runtime.Object
}

func specimens() []specimen {
	name := metav1.ObjectMeta{Name: "specimen", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"}}
	labels := map[string]string{"app": "specimen"}
	selector := &metav1.LabelSelector{MatchLabels: labels, MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{"specimen"}},
	}}
	pod := corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyAlways,
		TerminationGracePeriodSeconds: ptr.To[int64](0),
		NodeSelector:                  map[string]string{"disk": "fast"},
		SecurityContext:               &corev1.PodSecurityContext{RunAsNonRoot: ptr.To(true), FSGroup: ptr.To[int64](7)},
		Tolerations:                   []corev1.Toleration{{Key: "k", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: ptr.To[int64](60)}},
		Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{
				{Weight: 10, PodAffinityTerm: corev1.PodAffinityTerm{LabelSelector: selector, TopologyKey: "zone"}},
			},
		}},
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{
			{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.ScheduleAnyway, LabelSelector: selector},
		},
		Volumes: []corev1.Volume{
			{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: ptr.To(resource.MustParse("1Gi"))}}},
			{Name: "all", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: ptr.To[int64](3600)}},
				{ConfigMap: &corev1.ConfigMapProjection{Items: []corev1.KeyToPath{{Key: "a", Path: "b", Mode: ptr.To[int32](0o400)}}}},
			}}}},
		},
		InitContainers: []corev1.Container{{Name: "init", Image: "init:1", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}},
		Containers: []corev1.Container{{
			Name: "main", Image: "main:1", Command: []string{"run", ""}, Args: []string{"--now"},
			Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 80}},
			Env:   []corev1.EnvVar{{Name: "EMPTY"}, {Name: "NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}},
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{"cpu": resource.MustParse("0.25"), "memory": resource.MustParse("1.5Gi")},
				Limits:   corev1.ResourceList{"cpu": resource.MustParse("2")},
			},
			VolumeMounts:    []corev1.VolumeMount{{Name: "tmp", MountPath: "/tmp"}},
			LivenessProbe:   &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/live", Port: intstr.FromString("web")}}},
			ReadinessProbe:  &corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 81}}},
			Lifecycle:       &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"sync"}}}},
			SecurityContext: &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}, Privileged: ptr.To(false)},
		}},
	}
	once := *pod.DeepCopy()
	once.RestartPolicy = corev1.RestartPolicyNever
	once.InitContainers = nil
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod}
	job := batchv1.JobSpec{
		Parallelism: ptr.To[int32](0), BackoffLimit: ptr.To[int32](3), ActiveDeadlineSeconds: ptr.To[int64](60),
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: once},
	}
	now := metav1.NewMicroTime(time.Unix(1_700_000_000, 123_456_000))
	claim := corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data"}, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{"storage": resource.MustParse("10Gi")}},
	}}
	ownClaim := claim
	ownClaim.ObjectMeta = name
	return []specimen{
		{"configmaps", &corev1.ConfigMap{ObjectMeta: name, Data: map[string]string{"a": "ä\n"}, BinaryData: map[string][]byte{"b": {0, 255, 10}}, Immutable: ptr.To(false)}},
		{"secrets", &corev1.Secret{ObjectMeta: name, Type: corev1.SecretTypeOpaque, Data: map[string][]byte{"a": {0, 1, 254}, "empty": {}}}},
		{"pods", &corev1.Pod{ObjectMeta: name, Spec: pod}},
		{"services", &corev1.Service{ObjectMeta: name, Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone, Selector: labels,
			Ports: []corev1.ServicePort{{Name: "web", Port: 80, TargetPort: intstr.FromString("web"), AppProtocol: ptr.To("http")}},
		}}},
		{"persistentvolumeclaims", &ownClaim},
		{"limitranges", &corev1.LimitRange{ObjectMeta: name, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{
			{Type: corev1.LimitTypePersistentVolumeClaim, Max: corev1.ResourceList{"storage": resource.MustParse("20Gi")}},
		}}}},
		{"endpoints", &corev1.Endpoints{ObjectMeta: name, Subsets: []corev1.EndpointSubset{{
			Addresses: []corev1.EndpointAddress{{IP: "10.1.2.3", NodeName: ptr.To("n")}}, Ports: []corev1.EndpointPort{{Name: "web", Port: 80, Protocol: corev1.ProtocolTCP}},
		}}}},
		{"statefulsets", &appsv1.StatefulSet{ObjectMeta: name, Spec: appsv1.StatefulSetSpec{
			Replicas: ptr.To[int32](0), ServiceName: "s", Selector: selector, Template: template, VolumeClaimTemplates: []corev1.PersistentVolumeClaim{claim},
			UpdateStrategy: appsv1.StatefulSetUpdateStrategy{RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: ptr.To[int32](2)}},
		}}},
		{"daemonsets", &appsv1.DaemonSet{ObjectMeta: name, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template, MinReadySeconds: 3}}},
		{"jobs", &batchv1.Job{ObjectMeta: name, Spec: job}},
		{"cronjobs", &batchv1.CronJob{ObjectMeta: name, Spec: batchv1.CronJobSpec{
			Schedule: "0 0 1 1 *", TimeZone: ptr.To("Etc/UTC"), ConcurrencyPolicy: batchv1.ForbidConcurrent, JobTemplate: batchv1.JobTemplateSpec{Spec: job},
		}}},
		{"ingresses", &networkingv1.Ingress{ObjectMeta: name, Spec: networkingv1.IngressSpec{
			TLS: []networkingv1.IngressTLS{{Hosts: []string{"a.example"}, SecretName: "s"}},
			Rules: []networkingv1.IngressRule{{Host: "a.example", IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
				Paths: []networkingv1.HTTPIngressPath{{Path: "/", PathType: ptr.To(networkingv1.PathTypePrefix), Backend: networkingv1.IngressBackend{
					Service: &networkingv1.IngressServiceBackend{Name: "s", Port: networkingv1.ServiceBackendPort{Number: 80}},
				}}},
			}}}},
		}}},
		{"networkpolicies", &networkingv1.NetworkPolicy{ObjectMeta: name, Spec: networkingv1.NetworkPolicySpec{
			PodSelector: *selector, PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
			Egress: []networkingv1.NetworkPolicyEgressRule{{
				To:    []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "10.0.0.0/8", Except: []string{"10.1.0.0/16"}}}},
				Ports: []networkingv1.NetworkPolicyPort{{Port: ptr.To(intstr.FromInt32(53)), EndPort: ptr.To[int32](54)}},
			}},
		}}},
		{"poddisruptionbudgets", &policyv1.PodDisruptionBudget{ObjectMeta: name, Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable: ptr.To(intstr.FromString("50%")), Selector: selector, UnhealthyPodEvictionPolicy: ptr.To(policyv1.AlwaysAllow),
		}}},
		{"horizontalpodautoscalers", &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: name, Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "d"}, MaxReplicas: 3,
			Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
				Name: "cpu", Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ptr.To[int32](70)},
			}}},
			Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: ptr.To[int32](0)}},
		}}},
		{"roles", &rbacv1.Role{ObjectMeta: name, Rules: []rbacv1.PolicyRule{{APIGroups: []string{"", "apps"}, Resources: []string{"*"}, ResourceNames: []string{"n"}, Verbs: []string{"get"}}}}},
		{"leases", &coordinationv1.Lease{ObjectMeta: name, Spec: coordinationv1.LeaseSpec{
			HolderIdentity: ptr.To("me"), LeaseDurationSeconds: ptr.To[int32](15), AcquireTime: &now, RenewTime: &now, LeaseTransitions: ptr.To[int32](0),
		}}},
		{"endpointslices", &discoveryv1.EndpointSlice{ObjectMeta: name, AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.1.2.3"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(false)}, Zone: ptr.To("z")}},
			Ports:     []discoveryv1.EndpointPort{{Name: ptr.To("web"), Port: ptr.To[int32](80), Protocol: ptr.To(corev1.ProtocolUDP)}},
		}},
	}
}
