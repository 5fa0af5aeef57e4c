package main

import (
	"context"
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
)

var (
	sites    = schema.GroupVersionResource{Group: "example.io", Version: "v1", Resource: "sites"}
	siteKind = schema.GroupVersionKind{Group: "example.io", Version: "v1", Kind: "Site"}
)

type props = apiextensionsv1.JSONSchemaProps

// A site has a colour and replicas; its manager keeps a deployment and settings for it.
func definition() *apiextensionsv1.CustomResourceDefinition {
	whole := props{Type: "object", Required: []string{"spec"}, Properties: map[string]props{
		"spec": {
			Type:     "object",
			Required: []string{"colour"},
			Properties: map[string]props{
				"colour":   {Type: "string", MinLength: ptr.To[int64](1)},
				"replicas": {Type: "integer", Format: "int32", Minimum: ptr.To(0.0), Default: &apiextensionsv1.JSON{Raw: []byte("1")}},
			},
			XValidations: apiextensionsv1.ValidationRules{{Rule: "self.replicas <= 5", Message: "a site is small"}},
		},
		"status": {
			Type: "object",
			Properties: map[string]props{
				"observedGeneration": {Type: "integer", Format: "int64"},
				"colour":             {Type: "string"},
				"replicas":           {Type: "integer", Format: "int32"},
				"selector":           {Type: "string"},
			},
		},
	}}
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "sites.example.io"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: siteKind.Group,
			Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "sites", Singular: "site", Kind: "Site", ListKind: "SiteList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: siteKind.Version, Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &whole},
				Subresources: &apiextensionsv1.CustomResourceSubresources{
					Status: &apiextensionsv1.CustomResourceSubresourceStatus{},
					Scale: &apiextensionsv1.CustomResourceSubresourceScale{
						SpecReplicasPath: ".spec.replicas", StatusReplicasPath: ".status.replicas", LabelSelectorPath: ptr.To(".status.selector"),
					},
				},
				AdditionalPrinterColumns: []apiextensionsv1.CustomResourceColumnDefinition{
					{Name: "Colour", Type: "string", JSONPath: ".spec.colour"},
				},
			}},
		},
	}
}

// Creates the definition or brings it up to date, and waits until its objects are served.
func installDefinition(ctx context.Context, client apiextensions.Interface) error {
	definitions := client.ApiextensionsV1().CustomResourceDefinitions()
	wanted := definition()
	_, err := definitions.Create(ctx, wanted, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
			there, err := definitions.Get(ctx, wanted.Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			there.Spec = wanted.Spec
			_, err = definitions.Update(ctx, there, metav1.UpdateOptions{})
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("installing the definition: %w", err)
	}
	one := fields.OneTermEqualSelector("metadata.name", wanted.Name).String()
	lists := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = one
			return definitions.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = one
			return definitions.Watch(ctx, options)
		},
	}
	_, err = watchtools.UntilWithSync(ctx, lists, wanted, nil, func(event watch.Event) (bool, error) {
		there, ok := event.Object.(*apiextensionsv1.CustomResourceDefinition)
		if !ok {
			return false, apierrors.FromObject(event.Object)
		}
		for _, condition := range there.Status.Conditions {
			if condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue {
				return true, nil
			}
		}
		return false, nil
	})
	return err
}
