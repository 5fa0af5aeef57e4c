//! `authorizer` of matchConditions: asks what the user of the request may do, by the same rules as the server itself.
//!
//! `authorizer.group('').resource('pods').namespace('a').check('get').allowed()`. Each step is a value that carries the question
//! as far as it is asked, as JSON text; the first one of the chain knows the rules and answers.

use std::borrow::Cow;

use kanon_core::UserInfo;
use kanon_lang::{Arena, Context, Function, Opaque, Stop, Type, Value};
use serde_json::{Value as Json, json};

use super::Attributes;
use crate::rbac::{Attributes as Question, Decision, ResourceAttributes, Rules};

const AUTHORIZER: &str = "kubernetes.authorization.Authorizer";
const PATH_CHECK: &str = "kubernetes.authorization.PathCheck";
const GROUP_CHECK: &str = "kubernetes.authorization.GroupCheck";
const RESOURCE_CHECK: &str = "kubernetes.authorization.ResourceCheck";
const DECISION: &str = "kubernetes.authorization.Decision";

/// The variables, with their types.
pub(super) const VARIABLES: [(&str, Type); 2] =
    [("authorizer", Type::Opaque(AUTHORIZER)), ("authorizer.requestResource", Type::Opaque(RESOURCE_CHECK))];

/// What may be asked.
pub(super) fn functions() -> Vec<Function> {
    use Type::{Bool, Opaque as Of, String as Text};
    let (who, path, group, resource, decision) =
        (Of(AUTHORIZER), Of(PATH_CHECK), Of(GROUP_CHECK), Of(RESOURCE_CHECK), Of(DECISION));
    vec![
        Function::method("path", [who.clone(), Text], path.clone(), |cx, args| step(cx, args, PATH_CHECK, &["path"])),
        Function::method("group", [who.clone(), Text], group.clone(), |cx, args| {
            step(cx, args, GROUP_CHECK, &["group"])
        }),
        Function::method("serviceAccount", [who.clone(), Text, Text], who, |cx, args| {
            step(cx, args, AUTHORIZER, &["accountNamespace", "account"])
        }),
        Function::method("resource", [group, Text], resource.clone(), |cx, args| {
            step(cx, args, RESOURCE_CHECK, &["resource"])
        }),
        Function::method("subresource", [resource.clone(), Text], resource.clone(), |cx, args| {
            step(cx, args, RESOURCE_CHECK, &["subresource"])
        }),
        Function::method("namespace", [resource.clone(), Text], resource.clone(), |cx, args| {
            step(cx, args, RESOURCE_CHECK, &["namespace"])
        }),
        Function::method("name", [resource.clone(), Text], resource.clone(), |cx, args| {
            step(cx, args, RESOURCE_CHECK, &["name"])
        }),
        // Rules look at no selector, so naming one asks the same.
        Function::method("fieldSelector", [resource.clone(), Text], resource.clone(), |cx, args| {
            step(cx, args, RESOURCE_CHECK, &["fieldSelector"])
        }),
        Function::method("labelSelector", [resource.clone(), Text], resource.clone(), |cx, args| {
            step(cx, args, RESOURCE_CHECK, &["labelSelector"])
        }),
        Function::method("check", [path, Text], decision.clone(), check),
        Function::method("check", [resource, Text], decision.clone(), check),
        Function::method("allowed", [decision.clone()], Bool, |cx, args| {
            Ok(Value::Bool(read(cx, args)?["allowed"] == true))
        }),
        Function::method("reason", [decision.clone()], Text, |cx, args| {
            let answer = read(cx, args)?;
            cx.text(answer["reason"].as_str().unwrap_or_default())
        }),
        // Rules are at hand: asking them cannot fail.
        Function::method("errored", [decision.clone()], Bool, |_, _| Ok(Value::Bool(false))),
        Function::method("error", [decision], Text, |cx, _| cx.text("")),
    ]
}

/// The first value of a chain.
pub(super) struct Authorizer<'r> {
    pub(super) rules: &'r Rules,
    pub(super) user: &'r UserInfo,
}

impl Authorizer<'_> {
    fn answer(&self, question: &Json) -> Decision {
        let text = |name: &str| question[name].as_str().unwrap_or_default().to_owned();
        let attributes = if question["path"].is_string() {
            Question::Path { verb: text("verb"), path: text("path") }
        } else {
            Question::Resource(ResourceAttributes {
                verb: text("verb"),
                namespace: text("namespace"),
                group: text("group"),
                version: text("version"),
                resource: text("resource"),
                subresource: text("subresource"),
                name: text("name"),
            })
        };
        if !question["account"].is_string() {
            return self.rules.authorize(self.user, &attributes);
        }
        let (namespace, account) = (text("accountNamespace"), text("account"));
        let user = UserInfo {
            username: format!("system:serviceaccount:{namespace}:{account}"),
            groups: vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".to_owned(),
            ],
            ..UserInfo::default()
        };
        self.rules.authorize(&user, &attributes)
    }
}

impl Opaque for Authorizer<'_> {
    fn type_name(&self) -> &'static str {
        AUTHORIZER
    }

    fn equals(&self, _: Value<'_>) -> Option<bool> {
        None
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed("{}")
    }

    /// Answers the question that is the member's name.
    fn member<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        let question: Json = serde_json::from_str(name).ok()?;
        let Decision { allowed, reason } = self.answer(&question);
        Some(Value::Str(arena.alloc_str(&json!({"allowed": allowed, "reason": reason}).to_string())))
    }
}

/// A later value of a chain.
struct Step<'a> {
    kind: &'static str,
    /// The first one.
    root: &'a dyn Opaque,
    /// The question, or the answer, as JSON.
    text: &'a str,
}

impl Opaque for Step<'_> {
    fn type_name(&self) -> &'static str {
        self.kind
    }

    fn equals(&self, _: Value<'_>) -> Option<bool> {
        None
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.text)
    }

    fn member<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        self.root.member(name, arena)
    }
}

/// `authorizer.requestResource`: the resource of the request, ready to be asked about.
pub(super) fn request_resource<'a>(
    attributes: &Attributes<'_>,
    name: &str,
    authorizer: &'a dyn Opaque,
    arena: &'a Arena,
) -> Value<'a> {
    let address = attributes.address;
    let question = json!({"group": attributes.resource.gvk.group, "version": attributes.resource.gvk.version,
        "resource": attributes.resource.plural, "subresource": address.subresource, "namespace": address.namespace, "name": name});
    let text = arena.alloc_str(&question.to_string());
    Value::Opaque(arena.alloc(Step { kind: RESOURCE_CHECK, root: authorizer, text }))
}

/// What the receiver holds.
fn read<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Json, Stop> {
    match args.first() {
        Some(Value::Opaque(receiver)) => Ok(serde_json::from_str(&receiver.text()).unwrap_or_default()),
        _ => cx.fail("no such overload"),
    }
}

fn make<'a>(cx: &mut Context<'a>, args: &[Value<'a>], kind: &'static str, text: &Json) -> Result<Value<'a>, Stop> {
    let Some(Value::Opaque(root)) = args.first() else { return cx.fail("no such overload") };
    cx.grow(1)?;
    let Value::Str(text) = cx.text(&text.to_string())? else { return cx.fail("no such overload") };
    Ok(Value::Opaque(cx.arena.alloc(Step { kind, root: *root, text })))
}

/// The question with more of it said.
fn step<'a>(cx: &mut Context<'a>, args: &[Value<'a>], kind: &'static str, members: &[&str]) -> Result<Value<'a>, Stop> {
    let mut question = read(cx, args)?;
    for (name, value) in members.iter().zip(args.iter().skip(1)) {
        let Value::Str(text) = cx.plain(*value)? else { return cx.fail("no such overload") };
        question[*name] = text.into();
    }
    make(cx, args, kind, &question)
}

fn check<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let mut question = read(cx, args)?;
    let (Some(Value::Opaque(receiver)), Some(verb)) = (args.first(), args.get(1)) else {
        return cx.fail("no such overload");
    };
    let Value::Str(verb) = cx.plain(*verb)? else { return cx.fail("no such overload") };
    question["verb"] = verb.into();
    match receiver.member(&question.to_string(), cx.arena) {
        Some(Value::Str(answer)) => make(cx, args, DECISION, &serde_json::from_str(answer).unwrap_or_default()),
        _ => cx.fail("the authorizer gave no answer"),
    }
}
