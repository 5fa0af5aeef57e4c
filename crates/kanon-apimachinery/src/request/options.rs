//! Options of requests, typed, with the failures of spec/kubernetes-api.md 4.1 on bad values.

use kanon_store::Revision;
use serde_json::{Value, json};

use super::{Query, RequestInfo, Target};
use crate::{
    negotiate::{self, PatchType},
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
            version: self.version()?,
            version_match: version_match(query)?,
            send_initial_events: query.flag("sendInitialEvents"),
            bookmarks: query.flag("allowWatchBookmarks").unwrap_or_default(),
            timeout_seconds: number(query, "timeoutSeconds")?.map(|it| it as u64).filter(|it| *it > 0),
            watch,
            include_object: include_object(query)?,
        };
        options.check().map_err(|cause| ApiError::invalid_options("ListOptions", cause))?;
        Ok(options)
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
        let wrong = |cause| ApiError::invalid_options(kind, cause);
        let given = self.query.get("fieldValidation").filter(|it| !it.is_empty());
        let field_validation = match given {
            None => FieldValidation::default(),
            Some("Ignore") => FieldValidation::Ignore,
            Some("Warn") => FieldValidation::Warn,
            Some("Strict") => FieldValidation::Strict,
            Some(other) => {
                return Err(wrong(Cause::not_supported("fieldValidation", other, &["Ignore", "Strict", "Warn"])));
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
        if let Some((at, odd)) = manager.char_indices().find(|(_, it)| it.is_control()) {
            let problem = format!("invalid character U+{:04X} (at position {at})", u32::from(odd));
            return Err(wrong(Cause::invalid("fieldManager", &manager.into(), &problem)));
        }
        let force = self.query.flag("force");
        let is_apply = || negotiate::patch(&self.content_type, true) == Ok(PatchType::Apply);
        if kind == "PatchOptions" && force.is_some() && !is_apply() {
            return Err(wrong(Cause::forbidden("force", "may not be specified for non-apply patch")));
        }
        Ok(WriteOptions {
            dry_run: dry_run(self.query.all("dryRun")).map_err(wrong)?,
            field_manager: self.field_manager(),
            manager_given: !manager.is_empty(),
            field_validation,
            validation_given: given.is_some(),
            force: force.unwrap_or_default(),
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
    /// Rules between options.
    fn check(&self) -> Result<(), Cause> {
        let field = "resourceVersionMatch";
        let forbidden = |text: &str| Err(Cause::forbidden(field, text));
        if self.send_initial_events.is_some() {
            if !self.watch {
                return Err(Cause::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
            }
            if self.version_match != Some(VersionMatch::NotOlderThan) {
                return forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
            }
            return Ok(());
        }
        let Some(wanted) = self.version_match else { return Ok(()) };
        if self.watch {
            return forbidden("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
        }
        if !self.continue_token.is_empty() {
            return forbidden("resourceVersionMatch is forbidden when continue is provided");
        }
        match self.version {
            None => forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"),
            Some(Revision(0)) if wanted == VersionMatch::Exact => {
                forbidden(r#"resourceVersionMatch "exact" is forbidden for resourceVersion "0""#)
            }
            Some(_) => Ok(()),
        }
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
            (Some(_), Some(_)) => {
                let text = "orphanDependents and deletionPropagation cannot be both set";
                return Err(wrong(Cause::invalid("propagationPolicy", &json!(word), text)));
            }
            (Some("Background"), None) | (None, Some(false)) => Some(Propagation::Background),
            (Some("Foreground"), None) => Some(Propagation::Foreground),
            (Some("Orphan"), None) | (None, Some(true)) => Some(Propagation::Orphan),
            (None, None) => None,
            (Some(other), None) => {
                let words = ["Foreground", "Background", "Orphan", "nil"];
                return Err(wrong(Cause::not_supported("propagationPolicy", other, &words)));
            }
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

fn wrong(cause: Cause) -> ApiError {
    ApiError::invalid_options("DeleteOptions", cause)
}

fn version_match(query: &Query) -> Result<Option<VersionMatch>> {
    match query.get("resourceVersionMatch").unwrap_or_default() {
        "" => Ok(None),
        "NotOlderThan" => Ok(Some(VersionMatch::NotOlderThan)),
        "Exact" => Ok(Some(VersionMatch::Exact)),
        other => {
            let cause = Cause::not_supported("resourceVersionMatch", other, &["Exact", "NotOlderThan", ""]);
            Err(ApiError::invalid_options("ListOptions", cause))
        }
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
    let values: Vec<&str> = values.filter(|it| !it.is_empty()).collect();
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
