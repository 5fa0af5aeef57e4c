//! Ports and protocols: what a rule admits, and what somebody asks for.

use std::{fmt, str::FromStr};

use kanon_core::{Node, NodeKind};
use serde::Serialize;

/// Protocols that NetworkPolicy knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// The default.
    #[default]
    Tcp,
    /// UDP
    Udp,
    /// SCTP
    Sctp,
}

/// A word that is no protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not one of TCP, UDP, SCTP")]
pub struct UnknownProtocol(pub String);

impl Protocol {
    /// As Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
            Protocol::Sctp => "SCTP",
        }
    }

    /// The `protocol` of a port of a policy or a container: TCP where it is absent.
    pub(crate) fn of(node: Node<'_>) -> Result<Protocol, UnknownProtocol> {
        let text = node.get("protocol").filter(|it| !it.is_null());
        text.map_or(Ok(Protocol::Tcp), |it| match it.as_str().as_deref() {
            Some("TCP") => Ok(Protocol::Tcp),
            Some("UDP") => Ok(Protocol::Udp),
            Some("SCTP") => Ok(Protocol::Sctp),
            _ => Err(UnknownProtocol(it.raw().to_owned())),
        })
    }
}

/// In any case, as people type it.
impl FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(text: &str) -> Result<Protocol, UnknownProtocol> {
        match text.to_ascii_uppercase().as_str() {
            "TCP" => Ok(Protocol::Tcp),
            "UDP" => Ok(Protocol::Udp),
            "SCTP" => Ok(Protocol::Sctp),
            _ => Err(UnknownProtocol(text.to_owned())),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A port asked for: by number, or by its name on the destination pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortRef {
    /// Its number.
    Number(u16),
    /// Its name.
    Name(String),
}

impl FromStr for PortRef {
    type Err = String;

    fn from_str(text: &str) -> Result<PortRef, String> {
        match text.parse() {
            Ok(0) => Err("ports begin at 1".to_owned()),
            Ok(number) => Ok(PortRef::Number(number)),
            Err(_) if text.is_empty() || text.bytes().all(|it| it.is_ascii_digit()) => {
                Err(format!("`{text}` is no port: ports are 1 to 65535, or a name"))
            }
            Err(_) => Ok(PortRef::Name(text.to_owned())),
        }
    }
}

impl fmt::Display for PortRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PortRef::Number(it) => it.fmt(out),
            PortRef::Name(it) => it.fmt(out),
        }
    }
}

/// One entry of `ports` in a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortMatch {
    /// The protocol.
    pub protocol: Protocol,
    /// Which ports of it.
    pub range: PortRange,
}

/// Which ports of a protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortRange {
    /// Every one.
    All,
    /// From a number to a number, both included.
    Numbers(u16, u16),
    /// The one that has this name on the destination pod.
    Named(String),
}

impl PortMatch {
    /// Reads an entry of `ports`.
    ///
    /// # Errors
    /// What the API server refuses.
    pub(crate) fn of(node: Node<'_>) -> Result<PortMatch, String> {
        let protocol = Protocol::of(node).map_err(|it| format!("protocol: {it}"))?;
        let present = |name: &str| node.get(name).filter(|it| !it.is_null());
        let end = present("endPort");
        let number = |node: Node<'_>| {
            let number = node.as_i64().and_then(|it| u16::try_from(it).ok()).filter(|it| *it > 0);
            number.ok_or_else(|| format!("`{}` is no port", node.raw()))
        };
        let range = match present("port") {
            None if end.is_some() => return Err("endPort: needs a port".to_owned()),
            None => PortRange::All,
            Some(it) if it.kind() == NodeKind::String => match (it.as_str(), end) {
                (Some(name), None) => PortRange::Named(name.into_owned()),
                _ => return Err("endPort: needs a numbered port".to_owned()),
            },
            Some(it) => {
                let first = number(it)?;
                let last = end.map_or(Ok(first), number)?;
                if last < first {
                    return Err(format!("endPort: {last} lies below the port {first}"));
                }
                PortRange::Numbers(first, last)
            }
        };
        Ok(PortMatch { protocol, range })
    }
}

/// `80/TCP`, `8000-9000/TCP`, `http/TCP`, `*/UDP`
impl fmt::Display for PortMatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.range {
            PortRange::All => out.write_str("*")?,
            PortRange::Numbers(first, last) if first == last => write!(out, "{first}")?,
            PortRange::Numbers(first, last) => write!(out, "{first}-{last}")?,
            PortRange::Named(name) => out.write_str(name)?,
        }
        write!(out, "/{}", self.protocol)
    }
}
