//! Options of requests, typed, with the failures of spec/kubernetes-api.md 4.1 on bad values.

use kanon_store::Revision;
use serde_json::{Value, json};

use super::{Query, RequestInfo, Target};
use crate::{
    resource::Resource,
    selector::{FieldRequirement, FieldSelector, LabelSelector, Selection},
    status::{ApiError, Cause, Result},
};

/// What to do about unknown and duplicate fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Drop them.
    Ignore,
    /// Drop them and say so in `Warning` headers.
    #[default]
    Warn,
    /// Refuse the request.
    Strict,
}

/// `resourceVersionMatch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionMatch {
    /// The state may be newer.
    NotOlderThan,
    /// That very state.
    Exact,
}

/// `includeObject` of a Table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IncludeObject {
    /// No object beside the cells.
    None,
    /// Its metadata.
    #[default]
    Metadata,
    /// All of it.
    Object,
}

/// Options of get, list, watch and deletecollection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// `labelSelector` and `fieldSelector`.
    pub selection: Selection,
    /// `limit`; none when 0 or absent.
    pub limit: Option<usize>,
    /// `continue`; empty when absent.
    pub continue_token: String,
    /// `resourceVersion`; none when absent. 0 means any.
    pub version: Option<Revision>,
    /// `resourceVersionMatch`.
    pub version_match: Option<VersionMatch>,
    /// `sendInitialEvents`.
    pub send_initial_events: Option<bool>,
    /// `allowWatchBookmarks`.
    pub bookmarks: bool,
    /// `timeoutSeconds`.
    pub timeout_seconds: Option<u64>,
    /// Whether this is a watch.
    pub watch: bool,
    /// `includeObject`.
    pub include_object: IncludeObject,
}

/// Options of create, update and patch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Nothing is stored.
    pub dry_run: bool,
    /// Who owns the fields written; by default the User-Agent's name.
    pub field_manager: String,
    /// Whether the manager was given (an apply needs that).
    pub manager_given: bool,
    /// What to do about unknown fields.
    pub field_validation: FieldValidation,
    /// Whether `fieldValidation` was given: admission sees it then.
    pub validation_given: bool,
    /// Take fields from other managers (apply only).
    pub force: bool,
}

/// `propagationPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// Dependants go after the owner.
    Background,
    /// Dependants go before the owner.
    Foreground,
    /// Dependants stay.
    Orphan,
}

/// Options of deletions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Seconds a pod has to stop.
    pub grace_period_seconds: Option<i64>,
    /// What happens to dependants.
    pub propagation: Option<Propagation>,
    /// The uid the object must have.
    pub uid: Option<String>,
    /// The resourceVersion the object must have.
    pub resource_version: Option<String>,
    /// Nothing is deleted.
    pub dry_run: bool,
}

impl RequestInfo {
    /// Options of get, list, watch and deletecollection. `resource` says which fields can be selected.
    ///
    /// # Errors
    /// 400 and 422 as of spec 4.1.
    pub fn list_options(&self, resource: &Resource, watch: bool) -> Result<ListOptions> {
        let query = &self.query;
        let mut fields = FieldSelector::parse(query.get("fieldSelector").unwrap_or_default())?;
        fields.check(resource)?;
        if let (true, Target::Resource(_, address)) = (watch, &self.target)
            && !address.name.is_empty()
            && fields.name().is_none()
        {
            // `/watch/…/<name>`
            fields.0.push(FieldRequirement {
                field: "metadata.name".to_owned(),
                equal: true,
                value: address.name.clone(),
            });
        }
        let labels = LabelSelector::parse(query.get("labelSelector").unwrap_or_default())?;
        let options = ListOptions {
            selection: Selection { labels, fields },
            limit: number(query, "limit")?.filter(|it| *it > 0),
            continue_token: query.text("continue"),
            version: self
                .version()
                .map_err(|error| if watch { error } else { error.inside("invalid resource version") })?,
            version_match: version_match(query),
            send_initial_events: query.flag("sendInitialEvents"),
            bookmarks: query.flag("allowWatchBookmarks").unwrap_or_default(),
            timeout_seconds: number(query, "timeoutSeconds")?.map(|it| it as u64).filter(|it| *it > 0),
            watch,
            include_object: include_object(query)?,
        };
        match options.problems(query.get("resourceVersionMatch").unwrap_or_default()) {
            causes if causes.is_empty() => Ok(options),
            causes => Err(ApiError::invalid_options("ListOptions", causes)),
        }
    }

    /// `resourceVersion`, of a get or list.
    ///
    /// # Errors
    /// 400 for what is no number.
    pub fn version(&self) -> Result<Option<Revision>> {
        let text = self.query.get("resourceVersion").unwrap_or_default();
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| {
            let problem = format!("strconv.ParseUint: parsing {text:?}: invalid syntax");
            ApiError::bad_request(format!("resourceVersion: Invalid value: {text:?}: {problem}"))
        })
    }

    /// `includeObject`, of a get as Table.
    ///
    /// # Errors
    /// 400 for other words.
    pub fn include_object(&self) -> Result<IncludeObject> {
        include_object(&self.query)
    }

    /// Options of create, update and patch; `kind` is `CreateOptions`, `UpdateOptions` or `PatchOptions`.
    ///
    /// # Errors
    /// 422 for values that are none of those allowed.
    pub fn write_options(&self, kind: &str) -> Result<WriteOptions> {
        let wrong = |cause| ApiError::invalid_options(kind, vec![cause]);
        let given = self.query.get("fieldValidation").filter(|it| !it.is_empty());
        let field_validation = match given {
            None => FieldValidation::default(),
            Some("Ignore") => FieldValidation::Ignore,
            Some("Warn") => FieldValidation::Warn,
            Some("Strict") => FieldValidation::Strict,
            Some(other) => {
                return Err(wrong(Cause::not_supported("fieldValidation", other, &["", "Ignore", "Strict", "Warn"])));
            }
        };
        let manager = self.query.get("fieldManager").unwrap_or_default();
        if manager.chars().count() > 128 {
            return Err(wrong(Cause::new(
                "FieldValueTooLong",
                "fieldManager",
                "Too long: may not be more than 128 bytes",
            )));
        }
        if let Some((at, odd)) = manager.chars().enumerate().find(|(_, it)| it.is_control()) {
            let problem = format!("invalid character U+{:04X} (at position {at})", u32::from(odd));
            return Err(wrong(Cause::new(
                "FieldValueInvalid",
                "fieldManager",
                format!("Invalid value: {}: {problem}", kanon_schema::quote(manager)),
            )));
        }
        Ok(WriteOptions {
            dry_run: dry_run(self.query.all("dryRun")).map_err(wrong)?,
            field_manager: self.field_manager(),
            manager_given: !manager.is_empty(),
            field_validation,
            validation_given: given.is_some(),
            force: self.query.flag("force").unwrap_or_default(),
        })
    }

    /// Options of a deletion: from the body if there is one, else from the query.
    ///
    /// # Errors
    /// 400 for values of the wrong type, 422 for words that are not allowed.
    pub fn delete_options(&self, body: Option<&Value>) -> Result<DeleteOptions> {
        match body {
            Some(body) => DeleteOptions::from_value(body),
            None => DeleteOptions::from_query(&self.query),
        }
    }
}

impl ListOptions {
    /// What is wrong between options; `word` is `resourceVersionMatch` as given.
    fn problems(&self, word: &str) -> Vec<Cause> {
        let field = "resourceVersionMatch";
        let (initial, is_given) = (self.send_initial_events.is_some(), !word.is_empty());
        // Most lists give neither, and nothing of the rest is about them.
        if !initial && !is_given {
            return Vec::new();
        }
        let (is_exact, is_newer) = (word == "Exact", word == "NotOlderThan");
        let is_continued = is_given && !self.continue_token.is_empty();
        let continued =
            (is_continued, Cause::forbidden(field, "resourceVersionMatch is forbidden when continue is provided"));
        let found = if self.watch {
            let needs = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            let alone = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            vec![
                (initial && !is_newer, Cause::forbidden(field, needs)),
                (is_given && !initial, Cause::forbidden(field, alone)),
                (is_given && !is_newer, Cause::not_supported(field, word, &["NotOlderThan"])),
                continued,
            ]
        } else {
            let needs = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            let zero = r#"resourceVersionMatch "exact" is forbidden for resourceVersion "0""#;
            let words = ["Exact", "NotOlderThan", ""];
            vec![
                (is_given && self.version.is_none(), Cause::forbidden(field, needs)),
                continued,
                (is_given && !is_exact && !is_newer, Cause::not_supported(field, word, &words)),
                (is_exact && self.version == Some(Revision(0)), Cause::forbidden(field, zero)),
                (initial, Cause::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")),
            ]
        };
        found.into_iter().filter_map(|(is_wrong, cause)| is_wrong.then_some(cause)).collect()
    }
}

impl DeleteOptions {
    /// The options in a DeleteOptions body.
    ///
    /// # Errors
    /// As of [`RequestInfo::delete_options`].
    pub fn from_value(body: &Value) -> Result<DeleteOptions> {
        let preconditions = &body["preconditions"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let words: Vec<&str> = body["dryRun"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let orphan = body["orphanDependents"].as_bool();
        DeleteOptions {
            grace_period_seconds: body["gracePeriodSeconds"].as_i64(),
            propagation: None,
            uid: text(&preconditions["uid"]),
            resource_version: text(&preconditions["resourceVersion"]),
            dry_run: dry_run(words.into_iter()).map_err(wrong)?,
        }
        .with_propagation(body["propagationPolicy"].as_str(), orphan)
    }

    fn from_query(query: &Query) -> Result<DeleteOptions> {
        let grace = query.get("gracePeriodSeconds").filter(|it| !it.is_empty());
        DeleteOptions {
            grace_period_seconds: grace.map(integer).transpose()?,
            propagation: None,
            uid: query.get("preconditions.uid").map(str::to_owned),
            resource_version: query.get("preconditions.resourceVersion").map(str::to_owned),
            dry_run: dry_run(query.all("dryRun")).map_err(wrong)?,
        }
        .with_propagation(query.get("propagationPolicy"), query.flag("orphanDependents"))
    }

    fn with_propagation(mut self, word: Option<&str>, orphan: Option<bool>) -> Result<DeleteOptions> {
        self.propagation = match (word.filter(|it| !it.is_empty()), orphan) {
            (Some(other), Some(_)) => {
                let text = "orphanDependents and deletionPropagation cannot be both set";
                let mut causes = vec![Cause::invalid("propagationPolicy", &json!(word), text)];
                if !["Foreground", "Background", "Orphan"].contains(&other) {
                    causes.push(unknown_policy(other));
                }
                return Err(ApiError::invalid_options("DeleteOptions", causes));
            }
            (Some("Background"), None) | (None, Some(false)) => Some(Propagation::Background),
            (Some("Foreground"), None) => Some(Propagation::Foreground),
            (Some("Orphan"), None) | (None, Some(true)) => Some(Propagation::Orphan),
            (None, None) => None,
            (Some(other), None) => return Err(wrong(unknown_policy(other))),
        };
        Ok(self)
    }

    /// The options as admission sees them.
    pub fn to_value(&self) -> Value {
        let mut value = json!({"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"});
        if let Some(seconds) = self.grace_period_seconds {
            value["gracePeriodSeconds"] = seconds.into();
        }
        if let Some(propagation) = self.propagation {
            value["propagationPolicy"] = propagation.as_str().into();
        }
        for (name, wanted) in [("uid", &self.uid), ("resourceVersion", &self.resource_version)] {
            if let Some(wanted) = wanted {
                value["preconditions"][name] = wanted.as_str().into();
            }
        }
        if self.dry_run {
            value["dryRun"] = json!(["All"]);
        }
        value
    }
}

impl WriteOptions {
    /// The options as admission sees them; `kind` is `CreateOptions` or `UpdateOptions`.
    pub fn to_value(&self, kind: &str) -> Value {
        let mut value = json!({"kind": kind, "apiVersion": "meta.k8s.io/v1"});
        if self.manager_given {
            value["fieldManager"] = self.field_manager.as_str().into();
        }
        if self.validation_given {
            value["fieldValidation"] = self.field_validation.as_str().into();
        }
        if self.dry_run {
            value["dryRun"] = json!(["All"]);
        }
        value
    }
}

impl FieldValidation {
    /// The parameter's word.
    pub fn as_str(self) -> &'static str {
        match self {
            FieldValidation::Ignore => "Ignore",
            FieldValidation::Warn => "Warn",
            FieldValidation::Strict => "Strict",
        }
    }
}

impl Propagation {
    /// The option's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Propagation::Background => "Background",
            Propagation::Foreground => "Foreground",
            Propagation::Orphan => "Orphan",
        }
    }
}

fn unknown_policy(word: &str) -> Cause {
    Cause::not_supported("propagationPolicy", word, &["Foreground", "Background", "Orphan", "nil"])
}

fn wrong(cause: Cause) -> ApiError {
    ApiError::invalid_options("DeleteOptions", vec![cause])
}

/// What is no known word is told by [`ListOptions::problems`].
fn version_match(query: &Query) -> Option<VersionMatch> {
    match query.get("resourceVersionMatch").unwrap_or_default() {
        "NotOlderThan" => Some(VersionMatch::NotOlderThan),
        "Exact" => Some(VersionMatch::Exact),
        _ => None,
    }
}

fn include_object(query: &Query) -> Result<IncludeObject> {
    match query.get("includeObject").unwrap_or_default() {
        "" | "Metadata" => Ok(IncludeObject::Metadata),
        "None" => Ok(IncludeObject::None),
        "Object" => Ok(IncludeObject::Object),
        other => Err(ApiError::bad_request(format!("unrecognized includeObject value: {other:?}"))),
    }
}

fn dry_run<'q>(values: impl Iterator<Item = &'q str>) -> Result<bool, Cause> {
    let values: Vec<&str> = values.collect();
    if values.iter().all(|it| *it == "All") {
        return Ok(!values.is_empty());
    }
    let list: Vec<String> = values.iter().map(|it| format!("{it:?}")).collect();
    let message = format!("Unsupported value: []string{{{}}}: supported values: \"All\"", list.join(", "));
    Err(Cause::new("FieldValueNotSupported", "dryRun", message))
}

/// A whole number; negative ones count as absent where they mean nothing.
fn number(query: &Query, name: &str) -> Result<Option<usize>> {
    let text = query.get(name).unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    integer(text).map(|it| usize::try_from(it).ok())
}

fn integer(text: &str) -> Result<i64> {
    text.parse().map_err(|_| ApiError::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")))
}
