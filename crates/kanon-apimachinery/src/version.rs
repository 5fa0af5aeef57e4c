//! The `/version` document (spec/kubernetes-api.md 4.14). Fixed by the build: nothing of it depends on the machine.

use serde_json::{Value, json};

/// The version of Kubernetes whose behaviour this server has.
pub const GIT_VERSION: &str = "v1.32.0+kanon";

/// What `GET /version` answers. `KANON_GIT_COMMIT` and `KANON_BUILD_DATE` may be set where the binary is built.
pub fn document() -> Value {
    json!({
        "major": "1",
        "minor": "32",
        "gitVersion": GIT_VERSION,
        "gitCommit": option_env!("KANON_GIT_COMMIT").unwrap_or("unknown"),
        "gitTreeState": "clean",
        "buildDate": option_env!("KANON_BUILD_DATE").unwrap_or("1970-01-01T00:00:00Z"),
        // Clients print these two; no Go is involved.
        "goVersion": concat!("rust", env!("CARGO_PKG_RUST_VERSION")),
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, architecture(std::env::consts::ARCH)),
    })
}

/// The name that Go (and so every client) uses.
fn architecture(name: &str) -> &str {
    match name {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_members_are_text() {
        let document = super::document();
        let members = [
            "major",
            "minor",
            "gitVersion",
            "gitCommit",
            "gitTreeState",
            "buildDate",
            "goVersion",
            "compiler",
            "platform",
        ];
        for name in members {
            assert!(document[name].as_str().is_some_and(|it| !it.is_empty()), "{name}");
        }
        assert_eq!(document.as_object().map(serde_json::Map::len), Some(members.len()));
        assert!(super::GIT_VERSION.starts_with("v1.32."));
    }
}
