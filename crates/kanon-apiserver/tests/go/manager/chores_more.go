package main

import (
	"context"
	"errors"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
)

// Custom objects: apply, status by apply, scale found by discovery.
func (c *chores) custom(ctx context.Context, namespace string) error {
	client := c.clients.dynamic.Resource(sites).Namespace(namespace)
	wanted := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"colour": "green"}}}
	wanted.SetGroupVersionKind(siteKind)
	wanted.SetName("custom")
	made, err := client.Apply(ctx, "custom", wanted, metav1.ApplyOptions{FieldManager: "chores"})
	if err != nil {
		return err
	}
	replicas, _, err := unstructured.NestedInt64(made.Object, "spec", "replicas")
	if err != nil {
		return err
	}
	if err := same("replicas by default", replicas, 1); err != nil {
		return err
	}
	painted := func(it *unstructured.Unstructured) bool {
		colour := ""
		if it != nil {
			colour, _, _ = unstructured.NestedString(it.Object, "status", "colour")
		}
		return colour == "green"
	}
	if err := until(ctx, "custom", client.List, client.Watch, painted); err != nil {
		return err
	}
	resource := schema.GroupResource{Group: siteKind.Group, Resource: "sites"}
	scale, err := c.clients.scales.Scales(namespace).Get(ctx, resource, "custom", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if err := same("selector", scale.Status.Selector, "site=custom"); err != nil {
		return err
	}
	if err := c.rescale(ctx, namespace, resource, "custom", 2); err != nil {
		return err
	}
	ready := func(it *unstructured.Unstructured) bool {
		number := int64(0)
		if it != nil {
			number, _, _ = unstructured.NestedInt64(it.Object, "status", "replicas")
		}
		return number == 2
	}
	return until(ctx, "custom", client.List, client.Watch, ready)
}

// Tokens of a service account, and what they may.
func (c *chores) access(ctx context.Context, namespace string) error {
	typed := c.clients.typed
	if _, err := typed.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "robot"}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](3600)}}
	token, err := typed.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, "robot", request, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	user := "system:serviceaccount:" + namespace + ":robot"
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token.Status.Token}}
	if review, err = typed.AuthenticationV1().TokenReviews().Create(ctx, review, metav1.CreateOptions{}); err != nil {
		return err
	}
	if err := same("whose token it is", review.Status.User.Username, user); err != nil {
		return err
	}
	config := rest.AnonymousClientConfig(c.clients.builtin("robot"))
	config.BearerToken = token.Status.Token
	robot, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	self, err := robot.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err := same("who asks", self.Status.UserInfo.Username, user); err != nil {
		return err
	}
	_, err = robot.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{})
	if err := expect(err, apierrors.IsForbidden, "a list without a right"); err != nil {
		return err
	}
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "reader"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "list"},
	}}}
	if _, err := typed.RbacV1().Roles(namespace).Create(ctx, role, metav1.CreateOptions{}); err != nil {
		return err
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "reader"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: "robot", Namespace: namespace}},
	}
	if _, err := typed.RbacV1().RoleBindings(namespace).Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		return err
	}
	if _, err := robot.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{}); err != nil {
		return err
	}
	for verb, may := range map[string]bool{"list": true, "delete": false} {
		attributes := &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Resource: "configmaps"}
		asked := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: attributes}}
		if asked, err = robot.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, asked, metav1.CreateOptions{}); err != nil {
			return err
		}
		of := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{ResourceAttributes: attributes, User: user}}
		if of, err = typed.AuthorizationV1().SubjectAccessReviews().Create(ctx, of, metav1.CreateOptions{}); err != nil {
			return err
		}
		if asked.Status.Allowed != may || of.Status.Allowed != may {
			return fmt.Errorf("%s: %v %v", verb, asked.Status, of.Status)
		}
	}
	rules := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
	if rules, err = robot.AuthorizationV1().SelfSubjectRulesReviews().Create(ctx, rules, metav1.CreateOptions{}); err != nil {
		return err
	}
	if len(rules.Status.ResourceRules) == 0 {
		return errors.New("no rules of one's own")
	}
	return nil
}

// Events of both forms; what is told again becomes a series or a count.
func (c *chores) events(ctx context.Context, namespace string) error {
	about, err := c.clients.typed.CoreV1().ConfigMaps(namespace).Create(ctx, maps(namespace, 1, "told")[0], metav1.CreateOptions{})
	if err != nil {
		return err
	}
	tell := func() {
		c.newer.Eventf(about, nil, corev1.EventTypeNormal, "Told", "Telling", "told of %s", about.Name)
		c.older.Eventf(about, corev1.EventTypeWarning, "Retold", "told of %s", about.Name)
	}
	counted := func(wanted int, list func(context.Context) (int, error)) error {
		for {
			number, err := list(ctx)
			if err != nil || number == wanted {
				return err
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("told %d times, wanted %d: %w", number, wanted, ctx.Err())
			case <-tick():
			}
		}
	}
	newer := func(ctx context.Context) (int, error) {
		selector := "regarding.name=" + about.Name + ",reason=Told"
		all, err := c.clients.typed.EventsV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: selector})
		if err != nil || len(all.Items) == 0 {
			return 0, err
		}
		return series(&all.Items[0]), same("events of a series", len(all.Items), 1)
	}
	older := func(ctx context.Context) (int, error) {
		selector := "involvedObject.name=" + about.Name + ",involvedObject.uid=" + string(about.UID) + ",reason=Retold"
		all, err := c.clients.typed.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: selector})
		if err != nil || len(all.Items) == 0 {
			return 0, err
		}
		return int(all.Items[0].Count), same("events with a count", len(all.Items), 1)
	}
	// One after the other: a series that begins before its event is there is tried again after ten seconds.
	for times := 1; times <= 2; times++ {
		tell()
		if err := counted(times, newer); err != nil {
			return err
		}
		if err := counted(times, older); err != nil {
			return err
		}
	}
	return nil
}

func series(event *eventsv1.Event) int {
	if event.Series == nil {
		return 1
	}
	return int(event.Series.Count)
}
