//! Media types: what an answer looks like (`Accept`), and what a body is (`Content-Type`). Spec/kubernetes-api.md 2.1, 4.1.

use crate::status::{ApiError, Result};

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// `application/json`
    #[default]
    Json,
    /// `application/yaml`
    Yaml,
    /// `application/vnd.kubernetes.protobuf`: of built-in kinds, for clients that accept nothing else.
    Protobuf,
}

impl Encoding {
    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Encoding::Json => "application/json",
            Encoding::Yaml => "application/yaml",
            Encoding::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }
}

/// What an answer is about an object: itself, its table row, its metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The object or list.
    #[default]
    Object,
    /// `Table` in `meta.k8s.io/v1` or `v1beta1`.
    Table(MetaVersion),
    /// `PartialObjectMetadata`, or `PartialObjectMetadataList` for lists.
    Partial(MetaVersion),
}

/// Versions of `meta.k8s.io`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaVersion {
    /// `v1`
    V1,
    /// `v1beta1`
    V1Beta1,
}

impl MetaVersion {
    /// `meta.k8s.io/v1`, …
    pub fn api_version(self) -> &'static str {
        match self {
            MetaVersion::V1 => "meta.k8s.io/v1",
            MetaVersion::V1Beta1 => "meta.k8s.io/v1beta1",
        }
    }
}

/// What was chosen for an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// How it is written.
    pub encoding: Encoding,
    /// What it holds.
    pub form: Form,
}

/// What discovery answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiscoveryForm {
    /// `APIGroupDiscoveryList` of `apidiscovery.k8s.io/v2`.
    V2,
    /// The same of `v2beta1`.
    V2Beta1,
    /// `APIVersions`, `APIGroupList`.
    Legacy,
}

impl DiscoveryForm {
    /// The answer's content type.
    pub fn content_type(self) -> &'static str {
        match self {
            DiscoveryForm::V2 => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            DiscoveryForm::V2Beta1 => "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
            DiscoveryForm::Legacy => "application/json",
        }
    }
}

/// What a request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyType {
    /// JSON; also when nothing is said.
    Json,
    /// YAML.
    Yaml,
    /// Kubernetes protobuf.
    Protobuf,
}

/// What a PATCH is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    /// RFC 6902.
    Json,
    /// RFC 7396.
    Merge,
    /// Kubernetes' own merge, built-in kinds only.
    Strategic,
    /// Server-side apply.
    Apply,
}

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const ACCEPTED: [&str; 3] = ["application/json", "application/yaml", PROTOBUF];
const PATCHES: [&str; 4] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

/// Chooses the form of an answer about a resource.
///
/// # Errors
/// 406 when the client takes nothing that can be served. Whether a kind has protobuf at all is [`check_protobuf`]'s business.
pub fn answer(accept: &str) -> Result<Answer> {
    let clauses = clauses(accept);
    if clauses.is_empty() {
        return Ok(Answer::default());
    }
    let protobuf = |it: &Clause<'_>| it.media == PROTOBUF && it.param("as").is_none();
    let last = || clauses.iter().any(protobuf).then_some(Answer { encoding: Encoding::Protobuf, form: Form::Object });
    let refused = || ApiError::not_acceptable(&ACCEPTED);
    // Objects are kept as JSON: who takes that gets it, whatever else he would like better.
    clauses.iter().find_map(Clause::answer).or_else(last).ok_or_else(refused)
}

/// Refuses protobuf answers about custom resources, which have no such form.
///
/// # Errors
/// 406 when the client takes nothing else.
pub fn check_protobuf(accept: &str, is_builtin: bool) -> Result<()> {
    match answer(accept)?.encoding {
        Encoding::Protobuf if !is_builtin => Err(ApiError::not_acceptable(&ACCEPTED[..2])),
        _ => Ok(()),
    }
}

/// Chooses the form of discovery.
pub fn discovery(accept: &str) -> DiscoveryForm {
    let wanted = |clause: &Clause<'_>| {
        if !clause.is_json() {
            return None;
        }
        match (clause.param("g"), clause.param("as"), clause.param("v")) {
            (None, None, _) => Some(DiscoveryForm::Legacy),
            (Some("apidiscovery.k8s.io"), Some("APIGroupDiscoveryList"), Some("v2")) => Some(DiscoveryForm::V2),
            (Some("apidiscovery.k8s.io"), Some("APIGroupDiscoveryList"), Some("v2beta1")) => {
                Some(DiscoveryForm::V2Beta1)
            }
            _ => None,
        }
    };
    clauses(accept).iter().find_map(wanted).unwrap_or(DiscoveryForm::Legacy)
}

/// What a body is.
///
/// # Errors
/// 415 for other types.
pub fn body(content_type: &str) -> Result<BodyType> {
    match essence(content_type).as_str() {
        "" | "application/json" | "*/*" => Ok(BodyType::Json),
        "application/yaml" => Ok(BodyType::Yaml),
        PROTOBUF => Ok(BodyType::Protobuf),
        _ => Err(ApiError::unsupported_media_type(&ACCEPTED)),
    }
}

/// What a PATCH is; strategic only where `strategic` allows it (not for custom resources).
///
/// # Errors
/// 415 for other types.
pub fn patch(content_type: &str, strategic: bool) -> Result<PatchType> {
    let refused = || {
        let accepted: Vec<&str> = PATCHES.into_iter().filter(|it| strategic || !it.contains("strategic")).collect();
        ApiError::unsupported_media_type(&accepted)
    };
    match essence(content_type).as_str() {
        "application/json-patch+json" => Ok(PatchType::Json),
        "application/merge-patch+json" => Ok(PatchType::Merge),
        "application/strategic-merge-patch+json" if strategic => Ok(PatchType::Strategic),
        "application/apply-patch+yaml" => Ok(PatchType::Apply),
        _ => Err(refused()),
    }
}

fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// One element of an Accept header.
struct Clause<'a> {
    media: String,
    params: Vec<(&'a str, &'a str)>,
    /// In thousandths.
    quality: u32,
}

impl Clause<'_> {
    fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    fn is_json(&self) -> bool {
        matches!(self.media.as_str(), "application/json" | "application/*" | "*/*")
    }

    fn answer(&self) -> Option<Answer> {
        let encoding = match self.media.as_str() {
            "application/yaml" => Encoding::Yaml,
            _ if self.is_json() => Encoding::Json,
            _ => return None,
        };
        let meta = || match (self.param("g"), self.param("v")) {
            (Some("meta.k8s.io"), Some("v1")) => Some(MetaVersion::V1),
            (Some("meta.k8s.io"), Some("v1beta1")) => Some(MetaVersion::V1Beta1),
            _ => None,
        };
        let form = match self.param("as") {
            None => Form::Object,
            Some("Table") => Form::Table(meta()?),
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Form::Partial(meta()?),
            Some(_) => return None,
        };
        Some(Answer { encoding, form })
    }
}

/// The elements, best first.
fn clauses(accept: &str) -> Vec<Clause<'_>> {
    let mut clauses: Vec<Clause<'_>> =
        accept.split(',').map(str::trim).filter(|it| !it.is_empty()).map(clause).filter(|it| it.quality > 0).collect();
    clauses.sort_by_key(|it| std::cmp::Reverse(it.quality));
    clauses
}

fn clause(text: &str) -> Clause<'_> {
    let mut parts = text.split(';');
    let media = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let params: Vec<(&str, &str)> =
        parts.filter_map(|it| it.split_once('=')).map(|(key, value)| (key.trim(), value.trim())).collect();
    let quality = params.iter().find(|(key, _)| *key == "q").and_then(|(_, value)| value.parse::<f64>().ok());
    let quality = quality.map_or(1000, |it| (it.clamp(0.0, 1.0) * 1000.0) as u32);
    Clause { media, params, quality }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_negotiated() {
        let json = |form| Some(Answer { encoding: Encoding::Json, form });
        for (accept, want) in [
            ("", json(Form::Object)),
            ("*/*", json(Form::Object)),
            (
                "application/json;as=Table;v=v1;g=meta.k8s.io, application/json;as=Table;v=v1beta1;g=meta.k8s.io, application/json",
                json(Form::Table(MetaVersion::V1)),
            ),
            ("application/json;as=Table;v=v2;g=meta.k8s.io,application/json", json(Form::Object)),
            ("application/vnd.kubernetes.protobuf,application/json", json(Form::Object)),
            ("application/vnd.kubernetes.protobuf", Some(Answer { encoding: Encoding::Protobuf, form: Form::Object })),
            ("application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1", None),
            ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", json(Form::Partial(MetaVersion::V1))),
            ("application/json;q=0.5, application/yaml", Some(Answer { encoding: Encoding::Yaml, form: Form::Object })),
            ("text/html", None),
        ] {
            assert_eq!(answer(accept).ok(), want, "{accept}");
        }
        assert_eq!(answer("text/html").unwrap_err().code, 406);
        assert_eq!(check_protobuf(PROTOBUF, true), Ok(()));
        assert_eq!(check_protobuf("application/vnd.kubernetes.protobuf,application/json", false), Ok(()));
        assert_eq!(check_protobuf(PROTOBUF, false).unwrap_err().code, 406);
    }

    #[test]
    fn discovery_is_negotiated() {
        let kubectl = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
        assert_eq!(discovery(kubectl), DiscoveryForm::V2);
        assert_eq!(discovery(DiscoveryForm::V2Beta1.content_type()), DiscoveryForm::V2Beta1);
        assert_eq!(discovery("application/json"), DiscoveryForm::Legacy);
        assert_eq!(discovery(""), DiscoveryForm::Legacy);
    }

    #[test]
    fn bodies_and_patches_are_told_apart() {
        assert_eq!(body("application/json; charset=utf-8"), Ok(BodyType::Json));
        assert_eq!(body("application/vnd.kubernetes.protobuf"), Ok(BodyType::Protobuf));
        assert_eq!(body("text/plain").unwrap_err().code, 415);
        assert_eq!(patch("application/strategic-merge-patch+json", true), Ok(PatchType::Strategic));
        let error = patch("application/strategic-merge-patch+json", false).unwrap_err();
        assert_eq!(
            error.message,
            "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        );
    }
}
