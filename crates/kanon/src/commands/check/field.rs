//! Which field of a manifest a finding is about: the expression's reads, led back from the variables of rules to the object.
//!
//! Of several reads the one counts that made the expression true as far as can be told: it stands in a condition that is true
//! by itself; it says more than which object or container this is; it is there; and it stands last in the text, as what is looked
//! for does after what narrows it down. A read of what is absent leads to where it would stand.

use kanon_core::{GroupVersionKind, Node, NodeKind, Object, Verdict};
use kanon_network::pod_template;
use kanon_rules::Rule;

use super::positions::Step;

/// The path of the field, from the object's root; empty where the rule reads nothing of it.
pub(super) fn offending(rule: &Rule, verdict: &Verdict, object: &Object) -> Vec<Step> {
    let reads = rule.program.as_deref().map_or(&[][..], |it| &it.reads().paths);
    let kind = &verdict.subject.gvk;
    let mut best: Option<(Rank, Vec<Step>)> = None;
    for read in reads {
        let Some(path) = path_of(read, kind, &verdict.evidence.part, object) else { continue };
        let here = depth(object.root(), &path);
        let rank = Rank::new(verdict, read, here == path.len());
        if best.as_ref().is_none_or(|(known, _)| rank > *known) {
            best = Some((rank, path));
        }
    }
    best.map(|(_, path)| path).unwrap_or_default()
}

/// How well a read explains a finding; more is better.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    decides: bool,
    is_content: bool,
    is_there: bool,
    place: u32,
}

/// What only says which object or container this is.
const NAMES: [&str; 8] = [
    "object.apiVersion",
    "object.kind",
    "object.metadata.name",
    "object.metadata.namespace",
    "metadata.name",
    "metadata.namespace",
    "container.name",
    "container.containerType",
];

impl Rank {
    fn new(verdict: &Verdict, read: &[String], is_there: bool) -> Rank {
        let text = read.join(".");
        let values = &verdict.evidence.values;
        let own = values.iter().find(|it| it.text.replace("?.", ".") == text).map(|it| it.span);
        let found = verdict.evidence.expression.find(&text).and_then(|it| u32::try_from(it).ok());
        let span = own.or_else(|| found.map(|at| (at, at)));
        let is_content = read.len() > 1 && !NAMES.contains(&text.as_str());
        let Some((start, end)) = span else { return Rank { decides: false, is_content, is_there, place: 0 } };
        let around = values.iter().filter(|it| it.value.is_boolean() && it.span.0 <= start && end <= it.span.1);
        // The smallest condition around it; a read of a truth value is a condition itself.
        let condition = around.min_by_key(|it| it.span.1 - it.span.0);
        let decides = condition.is_some_and(|it| it.value == true);
        Rank { decides, is_content, is_there, place: start }
    }
}

/// How many steps of a path are there.
fn depth(root: Node<'_>, path: &[Step]) -> usize {
    let mut node = Some(root);
    let there = path.iter().take_while(|step| {
        node = node.and_then(|node| match step {
            Step::Key(key) => node.get(key),
            Step::Index(at) => node.elements().nth(*at),
        });
        node.is_some()
    });
    there.count()
}

/// Where in the object a read of a rule's variable leads (spec/rules 2.3).
fn path_of(read: &[String], kind: &GroupVersionKind, part: &str, object: &Object) -> Option<Vec<Step>> {
    let keys = |names: &[String]| names.iter().cloned().map(Step::Key).collect::<Vec<_>>();
    let (variable, rest) = read.split_first()?;
    match (variable.as_str(), rest) {
        ("object", rest) => return Some(keys(rest)),
        ("request", [object, rest @ ..]) if object == "object" => return Some(keys(rest)),
        ("metadata", _) => return Some(keys(read)),
        _ => {}
    }
    let mut path: Vec<_> = pod_template(kind)?.iter().map(|it| Step::Key((*it).to_owned())).collect();
    path.push(Step::Key("spec".to_owned()));
    match variable.as_str() {
        "spec" => path.extend(keys(rest)),
        "securityContext" => {
            path.push(Step::Key("securityContext".to_owned()));
            path.extend(security(rest));
        }
        "container" => {
            let (list, at) = container(object, &path, part)?;
            path.extend([Step::Key(list.to_owned()), Step::Index(at)]);
            match rest {
                [] => {}
                [first, ..] if first == "containerType" => {}
                [first, ..] if first == "image" => path.push(Step::Key("image".to_owned())),
                [first, ..] if first == "sidecar" => path.push(Step::Key("restartPolicy".to_owned())),
                [first, rest @ ..] if first == "securityContext" => {
                    path.push(Step::Key(first.clone()));
                    path.extend(security(rest));
                }
                rest => path.extend(keys(rest)),
            }
        }
        _ => return None,
    }
    Some(path)
}

/// Members of a security context; the profile's type stands one deeper than rules read it.
fn security(names: &[String]) -> Vec<Step> {
    let real = names.iter().flat_map(|it| match it.as_str() {
        "seccompProfileType" => vec!["seccompProfile", "type"],
        name => vec![name],
    });
    real.map(|it| Step::Key(it.to_owned())).collect()
}

/// The list and the place of the container called `name`.
fn container(object: &Object, spec: &[Step], name: &str) -> Option<(&'static str, usize)> {
    let keys: Vec<_> =
        spec.iter().filter_map(|it| if let Step::Key(key) = it { Some(key.as_str()) } else { None }).collect();
    let spec = object.at(&keys).filter(|it| it.kind() == NodeKind::Object)?;
    ["containers", "initContainers", "ephemeralContainers"].into_iter().find_map(|list| {
        let mut elements = spec.get(list).into_iter().flat_map(Node::elements);
        let at = elements.position(|it| it.get("name").and_then(Node::as_str).unwrap_or_default() == name)?;
        Some((list, at))
    })
}
