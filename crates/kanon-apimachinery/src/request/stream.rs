//! Streams to a pod: their options stand in the query, and what a pod must be for one (upstream: `pkg/registry/core/pod`).

use kanon_core::{GroupVersionKind, Node, Object};
use serde_json::{Map, Value, json};

use super::{Address, Query, query::truth};
use crate::status::{ApiError, GroupResource, Result};

/// What `exec`, `attach` and `portforward` take, for admission: its kind and the options themselves. None for other parts.
pub fn stream_options(address: &Address, query: &Query) -> Option<(GroupVersionKind, Value)> {
    let (kind, flags): (_, &[&str]) = match address.subresource.as_str() {
        _ if !address.group.is_empty() || address.resource != "pods" => return None,
        "exec" => ("PodExecOptions", &["stdin", "stdout", "stderr", "tty"]),
        "attach" => ("PodAttachOptions", &["stdin", "stdout", "stderr", "tty"]),
        "portforward" => ("PodPortForwardOptions", &[]),
        _ => return None,
    };
    let mut options = Map::from_iter([("kind".to_owned(), json!(kind)), ("apiVersion".to_owned(), json!("v1"))]);
    for flag in flags.iter().filter(|it| query.get(it).is_some_and(truth)) {
        options.insert((*flag).to_owned(), json!(true));
    }
    if let Some(container) = query.get("container").filter(|it| !it.is_empty() && !flags.is_empty()) {
        options.insert("container".to_owned(), json!(container));
    }
    let ports: Vec<u16> = query.all("ports").flat_map(|it| it.split(',')).filter_map(|it| it.parse().ok()).collect();
    let command: Vec<_> = query.all("command").collect();
    match kind {
        "PodExecOptions" if !command.is_empty() => options.insert("command".to_owned(), json!(command)),
        "PodPortForwardOptions" if !ports.is_empty() => options.insert("ports".to_owned(), json!(ports)),
        _ => None,
    };
    Some((GroupVersionKind::new("", "v1", kind), options.into()))
}

/// Whether a pod can be talked to at all: it has the container, and a node.
///
/// # Errors
/// 400 as upstream words it.
pub fn check_stream(pod: &Object, address: &Address, query: &Query) -> Result<()> {
    let name = &address.name;
    if address.subresource != "portforward" {
        let containers = |list: &str| -> Vec<String> {
            let elements = pod.at(&["spec", list]).into_iter().flat_map(Node::elements);
            elements.filter_map(|it| it.get("name")?.as_str().map(std::borrow::Cow::into_owned)).collect()
        };
        let lists = ["containers", "initContainers", "ephemeralContainers"].map(containers);
        match query.get("container").filter(|it| !it.is_empty()) {
            Some(wanted) if lists.iter().flatten().any(|it| it == wanted) => {}
            Some(wanted) => {
                return Err(ApiError::bad_request(format!("container {wanted} is not valid for pod {name}")));
            }
            None if lists[0].len() == 1 => {}
            None => {
                let choice = lists[0].join(" ");
                let text = format!("a container name must be specified for pod {name}, choose one of: [{choice}]");
                return Err(ApiError::bad_request(text));
            }
        }
    }
    if pod.str_at(&["spec", "nodeName"]).is_empty() {
        return Err(ApiError::bad_request(format!("pod {name} does not have a host assigned")));
    }
    Ok(())
}

/// A pod that is not there.
pub fn no_pod(address: &Address) -> ApiError {
    ApiError::not_found(&GroupResource::new("", "pods"), &address.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(subresource: &str) -> Address {
        Address {
            version: "v1".into(),
            resource: "pods".into(),
            namespace: "shop".into(),
            name: "web".into(),
            subresource: subresource.into(),
            ..Address::default()
        }
    }

    #[test]
    fn options_are_those_of_the_query() {
        for (part, query, want) in [
            (
                "exec",
                "command=sh&command=-c&container=a&stdin=true&tty=false",
                json!({"kind": "PodExecOptions", "apiVersion": "v1", "command": ["sh", "-c"], "container": "a", "stdin": true}),
            ),
            ("attach", "tty=1&command=x", json!({"kind": "PodAttachOptions", "apiVersion": "v1", "tty": true})),
            (
                "portforward",
                "ports=80,x&ports=8080&container=a",
                json!({"kind": "PodPortForwardOptions", "apiVersion": "v1", "ports": [80, 8080]}),
            ),
        ] {
            let (kind, options) = stream_options(&address(part), &Query::parse(query).unwrap()).unwrap();
            assert_eq!((options, kind.kind.as_str()), (want.clone(), want["kind"].as_str().unwrap()));
        }
        assert_eq!(stream_options(&address("log"), &Query::default()), None);
        assert_eq!(stream_options(&Address { group: "apps".into(), ..address("exec") }, &Query::default()), None);
    }

    #[test]
    fn a_pod_needs_the_container_and_a_node() {
        let pod = |spec: &str| Object::parse(format!(r#"{{"spec":{spec}}}"#)).unwrap();
        let one = r#"{"nodeName":"n","containers":[{"name":"a"}],"ephemeralContainers":[{"name":"d"}]}"#;
        let two = r#"{"nodeName":"n","containers":[{"name":"a"},{"name":"b"}]}"#;
        for (spec, part, query, want) in [
            (one, "exec", "", None),
            (one, "exec", "container=d", None),
            (one, "attach", "container=x", Some("container x is not valid for pod web")),
            (two, "exec", "", Some("a container name must be specified for pod web, choose one of: [a b]")),
            (two, "portforward", "", None),
            (r#"{"containers":[{"name":"a"}]}"#, "exec", "", Some("pod web does not have a host assigned")),
        ] {
            let checked = check_stream(&pod(spec), &address(part), &Query::parse(query).unwrap());
            assert_eq!(
                checked.err().map(|it| (it.code, it.message)),
                want.map(|it| (400, it.to_owned())),
                "{spec} {query}"
            );
        }
    }
}
