//! Purity: crates of the middle link nothing that reads a clock, opens a socket, starts a thread pool or watches files.
//! Checked for each crate alone, since a workspace build unites features. What they call themselves is clippy's to see.

use super::Finding;

/// The highest rank that is pure.
pub(super) const PURE_RANK: i64 = 4;

/// Crates whose presence means I/O, a runtime, a clock or randomness.
const IMPURE: [&str; 25] = [
    "async-io",
    "async-std",
    "axum",
    "curl",
    "getrandom",
    "hyper",
    "hyper-util",
    "inotify",
    "kube",
    "kube-client",
    "kube-runtime",
    "mio",
    "native-tls",
    "notify",
    "openssl",
    "rand",
    "rayon",
    "reqwest",
    "rustls",
    "smol",
    "socket2",
    "tokio",
    "tokio-rustls",
    "tonic",
    "ureq",
];

/// What a pure crate links and does not use, and why it cannot be left out.
const EXCEPTIONS: [(&str, &[&str], &str); 1] = [(
    "kanon-rego",
    &["getrandom", "rand"],
    "regorus does not build without its feature `std`, which links them for `rand.intn` alone; kanon-rego refuses that name",
)];

/// Looks through `cargo tree --prefix none` of one crate.
pub(super) fn check(name: &str, tree: &str) -> Vec<Finding> {
    let mut linked: Vec<_> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    linked.sort_unstable();
    linked.dedup();
    let excepted =
        |it: &str| EXCEPTIONS.iter().any(|(crate_name, linked, _)| *crate_name == name && linked.contains(&it));
    let impure = linked.into_iter().filter(|it| IMPURE.contains(it) && !excepted(it));
    let message = |it| format!("a pure crate links `{it}`: see `cargo tree -p {name} -e normal -i {it}`");
    impure.map(|it| Finding::new(name, message(it))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impure_crates_are_found_once() {
        let tree = "kanon-plane v0.1.0\nbytes v1.12.1\ntokio v1.54.1\nmio v1.0.0\ntokio v1.54.1 (*)\n";
        let found = check("kanon-plane", tree);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].message.contains("`mio`") && found[1].message.contains("`tokio`"));
        // A name that only begins so is another crate.
        assert_eq!(check("kanon-plane", "tokio-util-like v1\nserde v1\n"), []);
    }

    #[test]
    fn exceptions_are_for_one_crate_and_have_a_reason() {
        for (name, linked, why) in EXCEPTIONS {
            let tree = linked.iter().map(|it| format!("{it} v1\n")).collect::<String>();
            assert_eq!(check(name, &tree), []);
            assert_eq!(check("kanon-plane", &tree).len(), linked.len());
            assert!(linked.iter().all(|it| IMPURE.contains(it)) && !why.is_empty());
        }
    }

    #[test]
    fn list_is_in_order_and_without_repeats() {
        assert!(IMPURE.is_sorted_by(|a, b| a < b));
    }
}
