//! Kubeconfig text: how kubectl, `kube` and client-go find the server, and who they are there.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kanon_net::Leaf;

/// The name of cluster, user and context in the file.
const NAME: &str = "kanon";

/// How a client shows who it is.
pub(crate) enum Credential<'a> {
    /// By a client certificate.
    Certificate(&'a Leaf),
    /// By a bearer token.
    Token(&'a str),
}

/// A kubeconfig for one server. The file holds a secret: write it with mode 0600.
pub(crate) fn render(server: &str, authority_pem: &str, credential: &Credential<'_>) -> String {
    let encode = |text: &str| STANDARD.encode(text);
    let user = match credential {
        Credential::Certificate(leaf) => format!(
            "    client-certificate-data: {}\n    client-key-data: {}\n",
            encode(leaf.certificate_pem()),
            encode(leaf.key_pem())
        ),
        // A JSON string is a YAML string, whatever the token holds.
        Credential::Token(token) => format!("    token: {}\n", serde_json::Value::from(*token)),
    };
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: {NAME}\n  cluster:\n    server: {server}\n    \
         certificate-authority-data: {}\ncontexts:\n- name: {NAME}\n  context:\n    cluster: {NAME}\n    user: {NAME}\n\
         current-context: {NAME}\nusers:\n- name: {NAME}\n  user:\n{user}",
        encode(authority_pem)
    )
}
