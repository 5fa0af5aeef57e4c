//! Crates that are not taken: the names under `[bans]` of deny.toml must not be in Cargo.lock. cargo-deny checks more, where
//! it is installed; this holds everywhere.

use anyhow::Context;
use toml::{Table, Value};

use super::Finding;

/// Holds the bans against the lock file.
pub(super) fn check(deny: &str, lock: &str) -> anyhow::Result<Vec<Finding>> {
    let lock: Table = lock.parse().context("failed to read `Cargo.lock`")?;
    let packages = lock.get("package").and_then(Value::as_array).context("`Cargo.lock` has no packages")?;
    let locked: Vec<_> = packages.iter().filter_map(|it| it.get("name")?.as_str()).collect();
    let deny: Table = deny.parse().context("failed to read `deny.toml`")?;
    let bans = deny.get("bans").and_then(|it| it.get("deny")?.as_array()).context("`deny.toml` bans nothing")?;
    let mut findings = Vec::new();
    for ban in bans {
        let word = |name| ban.get(name).and_then(Value::as_str);
        let name = word("crate").context("a ban in `deny.toml` names no crate")?;
        let reason = word("reason").with_context(|| format!("the ban of `{name}` gives no reason"))?;
        if locked.contains(&name) {
            findings.push(Finding::new("Cargo.lock", format!("`{name}` is banned: {reason}")));
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banned_crates_are_found_with_the_reason() {
        let deny = "[bans]\ndeny = [{ crate = \"openssl\", reason = \"TLS is rustls\" }]\n";
        let lock = |name: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\n");
        let found = check(deny, &lock("openssl")).unwrap();
        assert_eq!(found, [Finding::new("Cargo.lock", "`openssl` is banned: TLS is rustls")]);
        assert_eq!(check(deny, &lock("openssl-probe")).unwrap(), []);
        assert!(check("[bans]\ndeny = [{ crate = \"x\" }]\n", &lock("y")).is_err(), "a ban needs a reason");
        assert!(check("", &lock("y")).is_err());
        assert!(check(deny, "").is_err());
    }
}
