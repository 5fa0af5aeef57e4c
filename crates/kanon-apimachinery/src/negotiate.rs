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
    if clauses(accept).next().is_none() {
        return Ok(Answer::default());
    }
    let last = || clauses(accept).find_map(Clause::in_protobuf);
    let refused = || ApiError::not_acceptable(&ACCEPTED);
    // Objects are kept as JSON: who takes that gets it, whatever else he would like better.
    clauses(accept).find_map(Clause::answer).or_else(last).ok_or_else(refused)
}

/// Refuses protobuf answers about custom resources, which have no such form but for their metadata.
///
/// # Errors
/// 406 when the client takes nothing else.
pub fn check_protobuf(accept: &str, is_builtin: bool) -> Result<()> {
    match answer(accept)? {
        Answer { encoding: Encoding::Protobuf, form: Form::Object } if !is_builtin => {
            Err(ApiError::not_acceptable(&ACCEPTED))
        }
        _ => Ok(()),
    }
}

/// Chooses the form of discovery.
pub fn discovery(accept: &str) -> DiscoveryForm {
    let wanted = |clause: Clause<'_>| {
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
    clauses(accept).find_map(wanted).unwrap_or(DiscoveryForm::Legacy)
}

/// What a body is.
///
/// # Errors
/// 415 for other types.
pub fn body(content_type: &str) -> Result<BodyType> {
    let is = |it: &str| essence(content_type).eq_ignore_ascii_case(it);
    match () {
        () if ["", "application/json", "*/*"].into_iter().any(is) => Ok(BodyType::Json),
        () if is("application/yaml") => Ok(BodyType::Yaml),
        () if is(PROTOBUF) => Ok(BodyType::Protobuf),
        () => Err(ApiError::unsupported_media_type(&ACCEPTED)),
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
    match essence(content_type).to_ascii_lowercase().as_str() {
        "application/json-patch+json" => Ok(PatchType::Json),
        "application/merge-patch+json" => Ok(PatchType::Merge),
        "application/strategic-merge-patch+json" if strategic => Ok(PatchType::Strategic),
        "application/apply-patch+yaml" => Ok(PatchType::Apply),
        _ => Err(refused()),
    }
}

fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// One element of an Accept header. Read where it stands: every request has one, and is asked about it more than once.
#[derive(Clone, Copy)]
struct Clause<'a> {
    media: &'a str,
    params: &'a str,
}

impl<'a> Clause<'a> {
    fn of(text: &'a str) -> Clause<'a> {
        let (media, params) = text.split_once(';').unwrap_or((text, ""));
        Clause { media: media.trim(), params }
    }

    fn is(self, media: &str) -> bool {
        self.media.eq_ignore_ascii_case(media)
    }

    fn param(self, name: &str) -> Option<&'a str> {
        let mut params = self.params.split(';').filter_map(|it| it.split_once('='));
        params.find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// In thousandths.
    fn quality(self) -> u32 {
        let given = self.param("q").and_then(|it| it.parse::<f64>().ok());
        given.map_or(1000, |it| (it.clamp(0.0, 1.0) * 1000.0) as u32)
    }

    fn is_json(self) -> bool {
        self.is("application/json") || self.is("*/*") || self.is("application/*")
    }

    fn answer(self) -> Option<Answer> {
        let encoding = match () {
            () if self.is_json() => Encoding::Json,
            () if self.is("application/yaml") => Encoding::Yaml,
            () => return None,
        };
        Some(Answer { encoding, form: self.form()? })
    }

    fn form(self) -> Option<Form> {
        let meta = || match (self.param("g"), self.param("v")) {
            (Some("meta.k8s.io"), Some("v1")) => Some(MetaVersion::V1),
            (Some("meta.k8s.io"), Some("v1beta1")) => Some(MetaVersion::V1Beta1),
            _ => None,
        };
        match self.param("as") {
            None => Some(Form::Object),
            Some("Table") => Some(Form::Table(meta()?)),
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Some(Form::Partial(meta()?)),
            Some(_) => None,
        }
    }

    /// The same in protobuf, which tables do not have here.
    fn in_protobuf(self) -> Option<Answer> {
        let form = self.form().filter(|it| !matches!(it, Form::Table(_)) && self.is(PROTOBUF))?;
        Some(Answer { encoding: Encoding::Protobuf, form })
    }
}

/// The elements, best first: as they stand, where none has a quality.
fn clauses(accept: &str) -> impl Iterator<Item = Clause<'_>> {
    let all = accept.split(',').map(str::trim).filter(|it| !it.is_empty()).map(Clause::of);
    let rated = accept.bytes().any(|it| it.eq_ignore_ascii_case(&b'q')).then(|| {
        let mut rated: Vec<_> = all.clone().map(|it| (it.quality(), it)).filter(|(quality, _)| *quality > 0).collect();
        rated.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
        rated.into_iter().map(|(_, it)| it)
    });
    let plain = rated.is_none().then_some(all);
    rated.into_iter().flatten().chain(plain.into_iter().flatten())
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
            (
                "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
                Some(Answer { encoding: Encoding::Protobuf, form: Form::Partial(MetaVersion::V1) }),
            ),
            (
                "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
                json(Form::Partial(MetaVersion::V1)),
            ),
            ("APPLICATION/JSON ; charset=utf-8", json(Form::Object)),
            ("application/yaml;Q=0, */*;q=0.1", json(Form::Object)),
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
        let partial = format!("{PROTOBUF};as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
        assert_eq!(check_protobuf(&partial, false), Ok(()));
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
