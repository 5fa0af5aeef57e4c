//! The inputs as values of an expression: records whose members are computed when they are read, and the values with an
//! equality of their own. Nothing here decides; nothing here owns memory that the arena would have to free.

mod foreign;
mod schedule;

use std::{collections::BTreeMap, sync::OnceLock};

use jiff::{Timestamp, tz::TimeZone};
use kanon_lang::{Arena, Environment, EvalError, Record, Span, Value};

use crate::inputs::{Inputs, Upstream};
pub(crate) use foreign::{LabelValue, MetricValue};
pub(crate) use schedule::Schedule;

/// The variables by slot, as [`Records::values`] gives them.
pub(crate) fn variables() -> Environment {
    let names = crate::references::VARIABLES.into_iter().chain([Environment::NOW]);
    Environment::new(names)
}

/// The records behind the variables of one evaluation.
pub(crate) struct Records<'i> {
    bundle: Bundle<'i>,
    schedule: Schedule,
    upstream: Upstreams<'i>,
    windows: Windows<'i>,
    inputs: &'i Inputs,
    now: Timestamp,
    metrics_problem: Option<Unavailable>,
    previous_problem: Option<Unavailable>,
}

impl<'i> Records<'i> {
    /// The inputs at an instant; `zone` is the gate's.
    pub(crate) fn new(inputs: &'i Inputs, zone: &TimeZone, now: Timestamp) -> Records<'i> {
        let pr = PullRequests { names: OnceLock::new(), inputs, problem: problem("bundle.pr", &inputs.pr) };
        Records {
            bundle: Bundle { inputs, now, pr },
            schedule: Schedule::new(now, zone),
            upstream: Upstreams { names: OnceLock::new(), inputs, now, problem: problem("upstream", &inputs.upstream) },
            windows: Windows { names: OnceLock::new(), inputs, now, problem: problem("changewindow", &inputs.windows) },
            metrics_problem: problem("metrics", &inputs.metrics).map(Unavailable),
            previous_problem: problem("previousBundle", &inputs.previous).map(Unavailable),
            inputs,
            now,
        }
    }

    /// One value for each variable.
    pub(crate) fn values<'a>(&'a self, arena: &'a Arena) -> [Value<'a>; 8] {
        let environment = &self.inputs.environment;
        let environment = map(
            arena,
            [
                ("name", Value::Str(&environment.name)),
                ("approval", Value::Str(&environment.approval)),
                ("labels", text_map(arena, &environment.labels)),
            ],
        );
        [
            Value::Record(&self.bundle),
            Value::Record(&self.schedule),
            environment,
            self.metrics(arena),
            self.previous(arena),
            Value::Record(&self.upstream),
            Value::Record(&self.windows),
            Value::Time(self.now),
        ]
    }

    fn metrics<'a>(&'a self, arena: &'a Arena) -> Value<'a> {
        match (&self.inputs.metrics, &self.metrics_problem) {
            (Ok(metrics), _) => {
                let value = |(name, metric): (&'a String, &'a _)| {
                    let value = MetricValue::new(name, metric, self.now, arena);
                    (Value::Str(name), Value::Opaque(arena.alloc(value)))
                };
                Value::Map(arena.alloc_slice_fill_iter(metrics.iter().map(value)))
            }
            (Err(_), Some(problem)) => Value::Record(problem),
            (Err(_), None) => Value::Null,
        }
    }

    fn previous<'a>(&'a self, arena: &'a Arena) -> Value<'a> {
        match (&self.inputs.previous, &self.previous_problem) {
            (Ok(version), _) => map(
                arena,
                [
                    ("version", Value::Str(version.as_deref().unwrap_or_default())),
                    ("exists", Value::Bool(version.is_some())),
                ],
            ),
            (Err(_), Some(problem)) => Value::Record(problem),
            (Err(_), None) => Value::Null,
        }
    }
}

fn problem<T>(name: &str, input: &Result<T, String>) -> Option<String> {
    input.as_ref().err().map(|it| format!("input \"{name}\" unavailable: {it}"))
}

fn keys<'i, T>(map: Result<&'i BTreeMap<String, T>, &String>) -> Vec<&'i str> {
    map.map(|it| it.keys().map(String::as_str).collect()).unwrap_or_default()
}

fn map<'a, const N: usize>(arena: &'a Arena, members: [(&'a str, Value<'a>); N]) -> Value<'a> {
    Value::Map(arena.alloc_slice_fill_iter(members.into_iter().map(|(name, value)| (Value::Str(name), value))))
}

fn text_map<'a>(arena: &'a Arena, map: &'a BTreeMap<String, String>) -> Value<'a> {
    Value::Map(arena.alloc_slice_fill_iter(map.iter().map(|(key, value)| (Value::Str(key), Value::Str(value)))))
}

fn label_map<'a>(arena: &'a Arena, map: &'a BTreeMap<String, String>) -> Value<'a> {
    let member = |(key, text): (&'a String, &'a String)| {
        let value: &'a LabelValue<'a> = arena.alloc(LabelValue { text });
        (Value::Str(key), Value::Opaque(value))
    };
    Value::Map(arena.alloc_slice_fill_iter(map.iter().map(member)))
}

/// An input that nothing can be read from.
struct Unavailable(String);

impl Record for Unavailable {
    fn get<'a>(&'a self, _: &str, _: &'a Arena) -> Option<Value<'a>> {
        None
    }

    fn names(&self) -> &[&str] {
        &[]
    }

    fn problem(&self) -> Option<&str> {
        Some(&self.0)
    }
}

/// `bundle`
struct Bundle<'i> {
    inputs: &'i Inputs,
    now: Timestamp,
    pr: PullRequests<'i>,
}

impl Record for Bundle<'_> {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        let bundle = &self.inputs.bundle;
        Some(match name {
            "type" => Value::Str(&bundle.kind),
            "name" => Value::Str(&bundle.name),
            "version" => Value::Str(&bundle.version),
            "images" => {
                let image = |it: &'a crate::api::Image| {
                    let (repository, tag, digest) = (&it.repository, &it.tag, &it.digest);
                    let members = [("repository", repository), ("tag", tag), ("digest", digest)];
                    map(arena, members.map(|(name, text)| (name, Value::Str(text))))
                };
                Value::List(arena.alloc_slice_fill_iter(bundle.images.iter().map(image)))
            }
            "labels" => label_map(arena, &bundle.labels),
            "annotations" => text_map(arena, &bundle.annotations),
            "metadata" => map(
                arena,
                [
                    ("name", Value::Str(&bundle.name)),
                    ("labels", label_map(arena, &bundle.labels)),
                    ("annotations", text_map(arena, &bundle.annotations)),
                ],
            ),
            "provenance" => {
                let it = &bundle.provenance;
                let members = [
                    ("author", &it.author),
                    ("commitSHA", &it.commit_sha),
                    ("ciRunURL", &it.ci_run_url),
                    ("rollbackOf", &it.rollback_of),
                    ("timestamp", &it.timestamp),
                ];
                map(arena, members.map(|(name, text)| (name, Value::Str(text))))
            }
            "intent" => {
                let skip = bundle.skip.iter().map(|it| Value::Str(it));
                let skip = Value::List(arena.alloc_slice_fill_iter(skip));
                let target = Value::Str(&bundle.target);
                map(arena, [("target", target), ("targetEnvironment", target), ("skip", skip)])
            }
            "upstreamSoakMinutes" => Value::Int(self.inputs.upstream_soak_minutes(self.now)),
            "pr" => Value::Record(&self.pr),
            _ => return None,
        })
    }

    fn names(&self) -> &[&str] {
        const NAMES: &[&str] = &[
            "annotations",
            "images",
            "intent",
            "labels",
            "metadata",
            "name",
            "pr",
            "provenance",
            "type",
            "upstreamSoakMinutes",
            "version",
        ];
        NAMES
    }
}

/// `bundle.pr`: stages without a pull request read as not approved; names that are no stage are errors (2.4.5).
struct PullRequests<'i> {
    /// Made when somebody asks for all of them.
    names: OnceLock<Vec<&'i str>>,
    inputs: &'i Inputs,
    problem: Option<String>,
}

impl Record for PullRequests<'_> {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        let pr = self.inputs.pr.as_ref().ok()?;
        let known = pr.known.get(name);
        if known.is_none() && pr.stages.as_ref().is_some_and(|it| !it.contains(name)) {
            return None;
        }
        let (approved, count) = known.copied().unwrap_or_default();
        Some(map(arena, [("isApproved", Value::Bool(approved)), ("approvalCount", Value::Int(count))]))
    }

    fn names(&self) -> &[&str] {
        self.names.get_or_init(|| keys(self.inputs.pr.as_ref().map(|it| &it.known)))
    }

    fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }
}

/// `upstream`
struct Upstreams<'i> {
    /// Made when somebody asks for all of them.
    names: OnceLock<Vec<&'i str>>,
    inputs: &'i Inputs,
    now: Timestamp,
    problem: Option<String>,
}

impl Record for Upstreams<'_> {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        let environment = self.inputs.upstream.as_ref().ok()?.get(name)?;
        Some(Value::Record(arena.alloc(UpstreamAt { environment, now: self.now })))
    }

    fn names(&self) -> &[&str] {
        self.names.get_or_init(|| keys(self.inputs.upstream.as_ref()))
    }

    fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }
}

/// `upstream.<env>`
struct UpstreamAt<'i> {
    environment: &'i Upstream,
    now: Timestamp,
}

impl Record for UpstreamAt<'_> {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        let it = self.environment;
        Some(match name {
            "soakMinutes" => Value::Int(it.soak_minutes(self.now)),
            "recentSuccessCount" => Value::Int(it.successes),
            "recentFailureCount" => Value::Int(it.failures),
            "recentAbortCount" => Value::Int(it.aborts),
            "recentRollbackCount" => Value::Int(it.rollbacks),
            "lastPromotedAt" => match it.last_promoted_at {
                Some(at) => Value::Str(arena.alloc_str(&at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())),
                None => Value::Str(""),
            },
            "version" => Value::Str(&it.version),
            "phase" => Value::Str(&it.phase),
            _ => return None,
        })
    }

    fn names(&self) -> &[&str] {
        const NAMES: &[&str] = &[
            "lastPromotedAt",
            "phase",
            "recentAbortCount",
            "recentFailureCount",
            "recentRollbackCount",
            "recentSuccessCount",
            "soakMinutes",
            "version",
        ];
        NAMES
    }
}

/// `changewindow`: names of windows that do not exist read as inactive, unless strict (2.4.7). Its methods come in through
/// [`Record::call`] with the method's name as the first argument.
struct Windows<'i> {
    /// Made when somebody asks for all of them.
    names: OnceLock<Vec<&'i str>>,
    inputs: &'i Inputs,
    now: Timestamp,
    problem: Option<String>,
}

impl Windows<'_> {
    /// Whether a window blocks; nothing when strictness makes that an error.
    fn is_active(&self, name: &str) -> Option<bool> {
        let windows = self.inputs.windows.as_ref().ok()?;
        match windows.get(name) {
            Some(window) => Some(window.is_active(self.now)),
            None => (!self.inputs.strict_windows).then_some(false),
        }
    }
}

impl Record for Windows<'_> {
    fn get<'a>(&'a self, name: &str, _: &'a Arena) -> Option<Value<'a>> {
        self.is_active(name).map(Value::Bool)
    }

    fn names(&self) -> &[&str] {
        self.names.get_or_init(|| keys(self.inputs.windows.as_ref().map(AsRef::as_ref)))
    }

    fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    fn call<'a>(&'a self, args: &[Value<'a>], arena: &'a Arena) -> Option<Result<Value<'a>, EvalError>> {
        let [Value::Str(method), Value::Str(name)] = args else { return None };
        // What cannot be told blocks (2.4.1).
        let unknown = self.inputs.windows.is_err();
        let window = self.inputs.windows.as_ref().ok().and_then(|it| it.get(*name));
        let error = |text: String| EvalError::value(text, Span::default());
        let active = || match self.is_active(name) {
            Some(active) => Ok(active),
            None if unknown => Ok(true),
            None => Err(error(format!("no such change window: {name}"))),
        };
        Some(match *method {
            "isBlocked" => active().map(Value::Bool),
            "isAllowed" => active().map(|it| Value::Bool(!it)),
            "reason" => Ok(Value::Str(window.map_or("", |it| arena.alloc_str(&it.reason)))),
            "opensAt" => match window {
                Some(it) if it.is_active(self.now) => match it.next_change(self.now) {
                    Some(at) => Ok(Value::Time(at)),
                    None => Err(error(format!("change window `{name}` does not end by itself"))),
                },
                Some(_) => Ok(Value::Time(self.now)),
                None => Err(error(format!("no such change window: {name}"))),
            },
            _ => return None,
        })
    }
}
