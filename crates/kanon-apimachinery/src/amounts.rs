//! Amounts by the name of what they are of: reading them from objects, adding them up, and what a pod asks for in all. Shared by
//! limit ranges and quotas; what is too much is theirs to say.

use std::collections::BTreeMap;

use kanon_core::Node;
use kanon_lang::{Opaque as _, kubernetes::Quantity};

/// Amounts by name.
pub(crate) type Amounts = BTreeMap<String, Quantity>;

/// Reads a map of quantities; what is none is passed over: validation refuses it.
pub(crate) fn read(amounts: Option<Node<'_>>) -> Amounts {
    let members = amounts.into_iter().flat_map(Node::members);
    members.filter_map(|(name, amount)| Some((name.into_owned(), quantity(amount)?))).collect()
}

/// A quantity, as text or as a number. What is beyond 64 bits is as much as fits in them: so sums of any number of objects are
/// exact, and what was added can be taken away again.
pub(crate) fn quantity(node: Node<'_>) -> Option<Quantity> {
    let most = Quantity::of_int(i64::MAX);
    let amount = Quantity::parse(node.as_plain_str().unwrap_or(node.raw())).ok()?;
    Some(if amount.order(&most).is_gt() { most } else { amount })
}

/// So many, as a quantity.
pub(crate) fn number(count: usize) -> Quantity {
    // Read and not made from the number: its text is then that of a plain number, of which 1000 is `1k`.
    Quantity::parse(&count.to_string()).unwrap_or(Quantity::of_int(0))
}

/// As servers write it.
pub(crate) fn text(amount: Quantity) -> String {
    amount.text().into_owned()
}

/// The sum.
pub(crate) fn plus(a: Quantity, b: Quantity) -> Quantity {
    // Of amounts with 64 bits each it has few enough digits.
    a.plus(b).unwrap_or(a)
}

/// What is left of the first.
pub(crate) fn minus(a: Quantity, b: Quantity) -> Quantity {
    plus(a, b.negated())
}

/// Adds each of `more`.
pub(crate) fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        sum.entry(name.clone()).and_modify(|it| *it = plus(*it, *amount)).or_insert(*amount);
    }
}

/// Takes each of `less` away.
pub(crate) fn subtract(sum: &mut Amounts, less: &Amounts) {
    for (name, amount) in less {
        sum.entry(name.clone()).and_modify(|it| *it = minus(*it, *amount)).or_insert(amount.negated());
    }
}

/// Raises each to what it is in `other`.
pub(crate) fn raise(amounts: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        let known = amounts.entry(name.clone()).or_insert(*amount);
        if amount.order(known).is_gt() {
            *known = *amount;
        }
    }
}

/// Whether both say the same.
pub(crate) fn is_same(a: &Amounts, b: &Amounts) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && a.1.order(b.1).is_eq())
}

/// `requests` or `limits` of a container.
pub(crate) fn of_container(container: Node<'_>, member: &str) -> Amounts {
    read(container.at(&["resources", member]))
}

/// `requests` or `limits` of a pod: what its containers and sidecars have together, or one of its init containers with the
/// sidecars that began before it.
pub(crate) fn of_pod(spec: Node<'_>, member: &str) -> Amounts {
    let mut all = Amounts::new();
    for container in list(spec, "containers") {
        add(&mut all, &of_container(container, member));
    }
    let (mut sidecars, mut most) = (Amounts::new(), Amounts::new());
    for container in list(spec, "initContainers") {
        let mut own = of_container(container, member);
        if container.get("restartPolicy").and_then(Node::as_plain_str) == Some("Always") {
            add(&mut all, &own);
            add(&mut sidecars, &own);
            own.clone_from(&sidecars);
        } else {
            add(&mut own, &sidecars);
        }
        raise(&mut most, &own);
    }
    raise(&mut all, &most);
    all
}

/// The elements of a list.
pub(crate) fn list<'n>(node: Node<'n>, name: &str) -> impl Iterator<Item = Node<'n>> + use<'n> {
    node.get(name).into_iter().flat_map(Node::elements)
}

#[cfg(test)]
mod tests {
    use kanon_core::Object;
    use serde_json::{Value, json};

    use super::*;

    fn check(spec: &Value, want: &str) {
        let object = Object::from_value(spec);
        let told: Vec<String> =
            of_pod(object.root(), "requests").into_iter().map(|(name, it)| format!("{name}={}", text(it))).collect();
        assert_eq!(told.join(","), want, "{spec}");
    }

    #[test]
    fn pods_need_what_runs_at_a_time() {
        let of = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
        let sidecar = |cpu: &str| json!({"restartPolicy": "Always", "resources": {"requests": {"cpu": cpu}}});
        check(&json!({"containers": [of("1"), of("500m"), {}]}), "cpu=1500m");
        check(&json!({"containers": [of("1")], "initContainers": [of("3"), of("2")]}), "cpu=3");
        check(&json!({"containers": [of("1")], "initContainers": [sidecar("1"), of("2")]}), "cpu=3");
        check(&json!({"containers": [of("1")], "initContainers": [of("2"), sidecar("1")]}), "cpu=2");
        check(&json!({"containers": [{"resources": {"requests": {"memory": "1Gi", "cpu": 2}}}]}), "cpu=2,memory=1Gi");
        check(&json!({"containers": [{"resources": {"requests": {"memory": "much"}}}]}), "");
    }

    #[test]
    fn sums_are_written_as_servers_do() {
        let sum = (0..1000).fold(number(0), |sum, _| plus(sum, number(1)));
        assert_eq!(text(sum), "1k");
        assert_eq!(text(minus(sum, number(1000))), "0");
        let most = Object::from_value(&json!("99999999999999999999E"));
        let (most, least) = (quantity(most.root()).expect("a quantity"), Quantity::parse("1n").expect("a quantity"));
        assert_eq!(text(most), i64::MAX.to_string(), "beyond all measure");
        let sum = (0..100).fold(least, |sum, _| plus(sum, most));
        assert_eq!(text((0..100).fold(sum, |sum, _| minus(sum, most))), "1n");
    }
}
