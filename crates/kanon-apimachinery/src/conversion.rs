//! Conversion webhooks of custom kinds (`spec.conversion.strategy: Webhook`), all but the HTTP calls: who is asked, what is sent, and
//! what answers count.
//!
//! Stages of requests see such objects only in the version of the request. The shell converts what it takes from the store and what
//! goes there; a resource with a [`Converter`] therefore takes every object as it is (`Resource::serves_stored_form`).

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use kanon_core::GroupVersionKind;
use kanon_schema::{FieldError, FieldPath};
use serde_json::{Map, Value, json};

use crate::{
    admission::{Endpoint, endpoint},
    resource::Resource,
    shape,
    status::{ApiError, Result},
};

/// How long a call may take (upstream).
const TIMEOUT: Duration = Duration::from_secs(30);
/// Objects of one call at most.
pub const OBJECTS_MAX: usize = 500;
/// Versions of reviews there are, as a definition may name them.
const REVIEWS: [&str; 2] = ["v1", "v1beta1"];

/// The conversion webhook of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converter {
    endpoint: Endpoint,
    /// PEM.
    ca_bundle: Option<Bytes>,
    /// The first version of reviews that both sides know.
    review_version: Option<&'static str>,
}

impl Converter {
    /// The webhook of a definition, if it has one.
    pub(crate) fn of(crd: &Value) -> Option<Converter> {
        let conversion = &crd["spec"]["conversion"];
        if conversion["strategy"] != "Webhook" {
            return None;
        }
        let webhook = &conversion["webhook"];
        let config = &webhook["clientConfig"];
        let bundle = config["caBundle"].as_str().filter(|it| !it.is_empty());
        let mut wanted = webhook["conversionReviewVersions"].as_array().into_iter().flatten();
        Some(Converter {
            endpoint: endpoint(config),
            // A bundle that is no base64 trusts nobody, rather than everybody.
            ca_bundle: bundle.map(|it| STANDARD.decode(it).unwrap_or_default().into()),
            review_version: wanted.find_map(|it| REVIEWS.into_iter().find(|known| it == known)),
        })
    }

    /// The URL, with `?timeout=30s`.
    pub fn url(&self) -> String {
        self.endpoint.url(TIMEOUT)
    }

    /// What its certificate must be signed by, PEM; the system's authorities when absent.
    pub fn ca_bundle(&self) -> Option<&Bytes> {
        self.ca_bundle.as_ref()
    }

    /// How long the call may take.
    pub fn timeout(&self) -> Duration {
        TIMEOUT
    }
}

/// One call: objects to be brought into another version.
#[derive(Clone, Debug)]
pub struct Review<'a> {
    resource: &'a Resource,
    desired: String,
    uid: String,
    version: &'static str,
    originals: Vec<Value>,
}

impl<'a> Review<'a> {
    /// A call for `objects`, none of which is in version `desired` (`group/version`) yet.
    ///
    /// # Errors
    /// 500 where the definition names no version of reviews that there is.
    pub fn new(resource: &'a Resource, desired: &str, objects: Vec<Value>, uid: String) -> Result<Review<'a>> {
        let converter = resource.custom().and_then(|it| it.converter.as_deref());
        let version = converter.and_then(|it| it.review_version);
        let version = version.ok_or_else(|| ApiError::plain_500("no supported conversion review versions"))?;
        Ok(Review { resource, desired: desired.to_owned(), uid, version, originals: objects })
    }

    /// The body to post.
    pub fn body(&self) -> Bytes {
        let request = json!({"uid": self.uid, "desiredAPIVersion": self.desired, "objects": self.originals});
        let review = json!({"kind": "ConversionReview", "apiVersion": format!("apiextensions.k8s.io/{}", self.version),
            "request": request});
        review.to_string().into()
    }

    /// The objects in the wanted version, out of the answer's body or of why there is none.
    ///
    /// # Errors
    /// 500 in upstream's words for whatever is not right.
    pub fn finish(self, answer: std::result::Result<Bytes, String>) -> Result<Vec<Value>> {
        let first = self.originals.first();
        let text = |name: &str| first.and_then(|it| it[name].as_str()).unwrap_or_default().to_owned();
        let gvk = GroupVersionKind::from_api_version(&text("apiVersion"), &text("kind"));
        let what = format!("conversion webhook for {}/{}, Kind={}", gvk.group, gvk.version, gvk.kind);
        let converted = answer
            .and_then(|it| self.read(&it))
            .map_err(|problem| ApiError::plain_500(format!("{what} failed: {problem}")))?;
        if converted.len() != self.originals.len() {
            let (got, want) = (converted.len(), self.originals.len());
            return Err(ApiError::plain_500(format!("{what} returned {got} objects, expected {want}")));
        }
        let mut out = Vec::with_capacity(converted.len());
        let is_one = converted.len() == 1;
        for (index, (converted, original)) in converted.into_iter().zip(&self.originals).enumerate() {
            let checked = self.check(converted, original).map_err(|bad| {
                let (thing, problem) = match &bad {
                    Bad::Form(problem) if is_one => ("object at index 0".to_owned(), problem),
                    Bad::Identity(problem) if is_one => ("object".to_owned(), problem),
                    Bad::Metadata(problem) if is_one => ("metadata".to_owned(), problem),
                    Bad::Form(problem) | Bad::Identity(problem) => {
                        (format!("converted object at index {index}"), problem)
                    }
                    Bad::Metadata(problem) => (format!("metadata in object at index {index}"), problem),
                };
                ApiError::plain_500(format!("{what} returned invalid {thing}: {problem}"))
            });
            out.push(checked?);
        }
        Ok(out)
    }

    /// The converted objects of an answer.
    fn read(&self, answer: &Bytes) -> std::result::Result<Vec<Value>, String> {
        let mut review: Value = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        // v1beta1 did not look at these two, and is not asked to.
        if self.version == "v1" {
            let got = GroupVersionKind::from_api_version(&text(&review["apiVersion"]), &text(&review["kind"]));
            if (got.group.as_str(), got.version.as_str(), got.kind.as_str())
                != ("apiextensions.k8s.io", "v1", "ConversionReview")
            {
                return Err(format!(
                    "expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got {}/{}, Kind={}",
                    got.group, got.version, got.kind
                ));
            }
        }
        let response = &mut review["response"];
        if !response.is_object() {
            return Err("no response provided".to_owned());
        }
        if self.version == "v1" && response["uid"] != self.uid.as_str() {
            return Err(format!("expected response.uid={:?}, got {:?}", self.uid, text(&response["uid"])));
        }
        let result = &response["result"];
        if result["status"] != "Success" {
            let message = text(&result["message"]);
            let status = text(&result["status"]);
            return Err(if message.is_empty() {
                format!("response.result.status was '{status}', not 'Success'")
            } else {
                message
            });
        }
        match response["convertedObjects"].take() {
            Value::Array(objects) => Ok(objects),
            _ => Ok(Vec::new()),
        }
    }

    /// A converted object is the same one in the wanted version; of its metadata only labels and annotations may differ.
    fn check(&self, mut converted: Value, original: &Value) -> std::result::Result<Value, Bad> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let got = text(&converted["apiVersion"]);
        if got != self.desired {
            return Err(Bad::Form(format!("invalid groupVersion (expected {}, received {got})", self.desired)));
        }
        let (want, got) = (text(&original["kind"]), text(&converted["kind"]));
        if want != got {
            return Err(Bad::Form(format!("invalid kind (expected {want}, received {got})")));
        }
        for (member, called) in [("name", "name"), ("namespace", "namespace"), ("uid", "UID")] {
            let (want, got) = (text(&original["metadata"][member]), text(&converted["metadata"][member]));
            if want != got {
                return Err(Bad::Identity(format!("must have the same {called}: {want} != {got}")));
            }
        }
        restore_metadata(&mut converted, original).map_err(Bad::Metadata)?;
        if self.desired == self.resource.api_version() {
            shape::prune(self.resource, &mut converted);
            shape::default(self.resource, &mut converted);
        }
        Ok(converted)
    }
}

/// What is wrong with a converted object, which decides how it is said.
enum Bad {
    Form(String),
    Identity(String),
    Metadata(String),
}

fn restore_metadata(converted: &mut Value, original: &Value) -> std::result::Result<(), String> {
    let given = match converted.get("metadata") {
        None => return Err("missing metadata in converted object".to_owned()),
        Some(Value::Object(given)) => given.clone(),
        Some(_) => return Err("invalid metadata in converted object".to_owned()),
    };
    let mut metadata = original["metadata"].as_object().cloned().unwrap_or_default();
    for member in ["labels", "annotations"] {
        let texts = match given.get(member) {
            None | Some(Value::Null) => {
                metadata.remove(member);
                continue;
            }
            Some(Value::Object(texts)) => texts,
            Some(_) => return Err(format!("invalid metadata.{member} in converted object")),
        };
        if let Some((key, _)) = texts.iter().find(|(_, value)| !value.is_string()) {
            return Err(format!("metadata.{member}[{key}] must be a string in converted object"));
        }
        if metadata.get(member).and_then(Value::as_object) != Some(texts) {
            check_texts(member, texts)?;
        }
        metadata.insert(member.to_owned(), Value::Object(texts.clone()));
    }
    converted["metadata"] = Value::Object(metadata);
    Ok(())
}

fn check_texts(member: &str, texts: &Map<String, Value>) -> std::result::Result<(), String> {
    let is_labels = member == "labels";
    // The second one is upstream's own spelling.
    let path = FieldPath::of(if is_labels { "metadata.labels" } else { "metadata.annotation" });
    let mut problems: BTreeMap<String, ()> = BTreeMap::new();
    let mut add = |value: &str, problem: String| {
        problems.insert(FieldError::invalid(&path, value, problem).to_string(), ());
    };
    for (key, value) in texts {
        let name = if is_labels { key.clone() } else { key.to_lowercase() };
        kanon_kinds::qualified_name_problems(&name).into_iter().for_each(|it| add(key, it));
        if is_labels {
            let value = value.as_str().unwrap_or_default();
            kanon_kinds::label_value_problems(value).into_iter().for_each(|it| add(value, it));
        }
    }
    let problems: Vec<String> = problems.into_keys().collect();
    match problems.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        all => Err(format!("[{}]", all.join(", "))),
    }
}

#[cfg(test)]
mod tests;
