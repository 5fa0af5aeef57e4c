//! The kubeconfig of the audit webhook: where it is, whom to believe, as whom to come. Files that it names are read relative to it.

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kanon_net::{Leaf, Trust};
use serde_json::Value;

use super::AuditError;

/// What the current context says. Prints nothing: it may hold a token.
pub(super) struct Target {
    pub(super) url: String,
    pub(super) trust: Trust,
    pub(super) identity: Option<Leaf>,
    pub(super) token: Option<String>,
}

impl Target {
    pub(super) fn read(path: &Path) -> Result<Target, AuditError> {
        let wrong = |problem: String| AuditError::Kubeconfig { path: path.to_owned(), problem };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let folder = path.parent().map(PathBuf::from).unwrap_or_default();
        Target::parse(&text, &folder).map_err(wrong)
    }

    fn parse(text: &str, folder: &Path) -> Result<Target, String> {
        let config: Value = serde_saphyr::from_str(text)
            .map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())?;
        let wanted = config["current-context"].as_str().unwrap_or_default();
        let context = match named(&config, "contexts", "context", wanted) {
            Some(context) => context,
            // Examples of audit webhooks often have one context and do not name it.
            None => config["contexts"].get(0).map(|it| &it["context"]).ok_or("it has no context")?,
        };
        let find = |list: &str, kind: &str| {
            let name = context[kind].as_str().unwrap_or_default();
            named(&config, list, kind, name).ok_or_else(|| format!("it has no {kind} `{name}`"))
        };
        let cluster = find("clusters", "cluster")?;
        let url = cluster["server"].as_str().filter(|it| !it.is_empty()).ok_or("its cluster names no server")?;
        if cluster["insecure-skip-tls-verify"] == true {
            return Err("`insecure-skip-tls-verify` is not supported: name the `certificate-authority`".to_owned());
        }
        let trust = content(cluster, "certificate-authority", folder)?.map_or(Trust::System, Trust::Bundle);
        let user = if context["user"].is_string() { find("users", "user")? } else { &Value::Null };
        let certificate = content(user, "client-certificate", folder)?;
        let identity = match (certificate, content(user, "client-key", folder)?) {
            (Some(certificate), Some(key)) => {
                Some(Leaf::from_pem(certificate, key).map_err(|error| error.to_string())?)
            }
            (None, None) => None,
            _ => return Err("a client certificate and its key come together".to_owned()),
        };
        let token = match (user["token"].as_str(), user["tokenFile"].as_str()) {
            (Some(token), _) => Some(token.to_owned()),
            (None, Some(file)) => Some(read(&folder.join(file))?.trim().to_owned()),
            (None, None) => None,
        };
        Ok(Target { url: url.to_owned(), trust, identity, token })
    }
}

fn named<'c>(config: &'c Value, list: &str, kind: &str, name: &str) -> Option<&'c Value> {
    config[list].as_array()?.iter().find(|it| it["name"] == name).map(|it| &it[kind])
}

/// The text of `<field>-data`, or of the file that `<field>` names.
fn content(of: &Value, field: &str, folder: &Path) -> Result<Option<String>, String> {
    let data = format!("{field}-data");
    if let Some(data) = of[data.as_str()].as_str() {
        let bytes = STANDARD.decode(data).map_err(|_| format!("`{field}-data` is no base64"))?;
        return String::from_utf8(bytes).map(Some).map_err(|_| format!("`{field}-data` is no text"));
    }
    of[field].as_str().map(|file| read(&folder.join(file))).transpose()
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("`{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Target, String> {
        Target::parse(text, Path::new("/nonexistent"))
    }

    #[test]
    fn the_current_context_counts() {
        let text = "
current-context: b
contexts:
- {name: a, context: {cluster: one, user: u}}
- {name: b, context: {cluster: two, user: u}}
clusters:
- {name: one, cluster: {server: 'https://one'}}
- {name: two, cluster: {server: 'https://two', certificate-authority-data: UEVN}}
users:
- {name: u, user: {token: secret}}
";
        let target = check(text).map_err(|it| panic!("{it}")).expect("usable");
        assert_eq!((target.url.as_str(), target.token.as_deref()), ("https://two", Some("secret")));
        assert_eq!(target.trust, Trust::Bundle("PEM".to_owned()));
        let target = check(&text.replace("current-context: b", "")).map_err(|it| panic!("{it}")).expect("usable");
        assert_eq!((target.url.as_str(), target.trust), ("https://one", Trust::System));
    }

    #[test]
    fn mistakes_are_named() {
        let context = "contexts: [{name: a, context: {cluster: c, user: u}}]\n";
        for (rest, want) in [
            ("", "it has no cluster `c`"),
            ("clusters: [{name: c, cluster: {}}]", "names no server"),
            ("clusters: [{name: c, cluster: {server: s}}]", "it has no user `u`"),
            ("clusters: [{name: c, cluster: {server: s, insecure-skip-tls-verify: true}}]", "is not supported"),
            ("clusters: [{name: c, cluster: {server: s, certificate-authority: ca.crt}}]", "/nonexistent/ca.crt"),
            ("clusters: [{name: c, cluster: {server: s, certificate-authority-data: '!'}}]", "is no base64"),
        ] {
            let error = check(&format!("{context}{rest}")).err().expect(rest);
            assert!(error.contains(want), "{rest}: {error}");
        }
        assert!(check("a: 1").err().expect("no context").contains("no context"));
    }
}
