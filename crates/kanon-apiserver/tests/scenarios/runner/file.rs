//! A scenario as it is written. Reading it checks what a reader may get wrong; what the steps mean is in `step.rs`.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

/// A file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// Section of the specification that it is written from.
    pub(crate) spec: String,
    /// What it shows, as a sentence.
    pub(crate) title: String,
    /// What it needs besides an API server.
    #[serde(default)]
    pub(crate) needs: Vec<Need>,
    /// Whether every kubectl that is installed runs it.
    #[serde(default)]
    pub(crate) every_kubectl: bool,
    /// Files under `parts/` whose values, steps and clean-up come first.
    #[serde(default)]
    pub(crate) parts: Vec<String>,
    /// Values for `${name}`.
    #[serde(default)]
    pub(crate) values: BTreeMap<String, Value>,
    /// Paths of cluster-wide objects that are deleted at the end, however it ends.
    #[serde(default)]
    pub(crate) cleanup: Vec<String>,
    /// What is done, in order.
    pub(crate) steps: Vec<Step>,
}

/// What not every place has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Need {
    /// A kubectl on this machine.
    Kubectl,
    /// The embedded server: for what others do in another way.
    Embedded,
    /// A server whose workloads move through their states.
    SimulatedWorkloads,
    /// Built-in kinds: upstream's server of custom resources alone has none, and no namespaces that must be there.
    Core,
}

/// One step: a `request`, a `kubectl` command, or a look at what an earlier one that goes on has said (`see`).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", default)]
pub(crate) struct Step {
    /// What it shows, for failures.
    pub(crate) name: Option<String>,
    /// Whether it is passed over where there are no built-in kinds.
    pub(crate) core: bool,

    /// `METHOD /path?query`.
    pub(crate) request: Option<String>,
    /// Arguments of kubectl, with quotes as a shell has them.
    pub(crate) kubectl: Option<String>,
    /// Name of something that goes on: a watch (`follow`) or a command (`background`).
    pub(crate) see: Option<String>,

    /// Request headers.
    pub(crate) with: BTreeMap<String, String>,
    /// A body, as JSON.
    pub(crate) send: Option<Value>,
    /// A body, as it is.
    pub(crate) text: Option<String>,
    /// A body, in hexadecimal digits; spaces do not count.
    pub(crate) hex: Option<String>,
    /// Content type of the body; JSON without.
    #[serde(rename = "type")]
    pub(crate) content_type: Option<String>,
    /// Whether the request carries no credential.
    pub(crate) anonymous: bool,
    /// Leaves the answer open under a name.
    pub(crate) follow: Option<String>,

    /// The first minor version of kubectl that has the command as it stands here.
    pub(crate) from_minor: Option<u32>,
    /// Standard input of the command: a text, or a value that is written as JSON.
    pub(crate) stdin: Option<Value>,
    /// Environment of the command.
    pub(crate) env: BTreeMap<String, String>,
    /// Leaves the command running under a name.
    pub(crate) background: Option<String>,

    /// Status of the answer.
    pub(crate) status: Option<u16>,
    /// Headers of the answer.
    pub(crate) headers: BTreeMap<String, Value>,
    /// What the body, as JSON, must hold at least.
    pub(crate) body: Option<Value>,
    /// What the body, as JSON, must be.
    pub(crate) exact: Option<Value>,
    /// Lines of a watch, in order; bookmarks count only where one is expected.
    pub(crate) events: Vec<Value>,
    /// Texts in the body, or in what the command prints.
    #[serde(deserialize_with = "one_or_many")]
    pub(crate) out: Vec<String>,
    /// Texts in what the command prints to standard error.
    #[serde(deserialize_with = "one_or_many")]
    pub(crate) err: Vec<String>,
    /// Texts that must not be in either.
    #[serde(deserialize_with = "one_or_many")]
    pub(crate) lacks: Vec<String>,
    /// Exit code of the command; 0 without.
    pub(crate) exit: Option<i32>,
    /// Whether what goes on ends.
    pub(crate) ends: bool,

    /// Values for later steps: a name and where in the body it is (`metadata.uid`), `header NAME`, or `out`.
    pub(crate) save: BTreeMap<String, String>,
    /// Tries again until everything is as expected, for at most this long.
    #[serde(deserialize_with = "duration")]
    pub(crate) eventually: Option<Duration>,
    /// How long a look at something that goes on may take; ten seconds without.
    #[serde(deserialize_with = "duration")]
    pub(crate) within: Option<Duration>,
}

/// What several scenarios begin with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Part {
    values: BTreeMap<String, Value>,
    cleanup: Vec<String>,
    steps: Vec<Step>,
}

impl Scenario {
    /// Reads a file and its parts, which stand in `parts/` beside it.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(crate) fn read(path: &Path) -> Result<Scenario, String> {
        let text = |path: &Path| fs::read_to_string(path).map_err(|it| format!("{}: {it}", path.display()));
        let wrong = |problem: String| format!("{}: {problem}", path.display());
        let mut scenario = Scenario::parse(&text(path)?).map_err(wrong)?;
        for name in scenario.parts.iter().rev() {
            let place = path.with_file_name("parts").join(format!("{name}.yaml"));
            let part: Part = yaml(&text(&place)?).map_err(|it| format!("{name}: {it}"))?;
            scenario.values.extend(part.values);
            scenario.cleanup.extend(part.cleanup);
            scenario.steps.splice(0..0, part.steps);
        }
        Ok(scenario)
    }

    fn parse(text: &str) -> Result<Scenario, String> {
        let scenario: Scenario = yaml(text)?;
        for (index, step) in scenario.steps.iter().enumerate() {
            let kinds = [&step.request, &step.kubectl, &step.see];
            if kinds.into_iter().flatten().count() != 1 {
                return Err(format!("step {}: exactly one of request, kubectl and see", index + 1));
            }
            if step.kubectl.is_some() && !scenario.needs.contains(&Need::Kubectl) {
                return Err(format!("step {} calls kubectl: say so under needs", index + 1));
            }
        }
        Ok(scenario)
    }
}

/// YAML 1.2: `y` and `no` are texts.
fn yaml<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).map_err(|it| it.to_string())
}

fn one_or_many<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<String>, D::Error> {
    match Value::deserialize(source)? {
        Value::String(one) => Ok(vec![one]),
        Value::Array(many) => {
            let text = |it: Value| it.as_str().map(str::to_owned).ok_or_else(|| D::Error::custom("expected texts"));
            many.into_iter().map(text).collect()
        }
        _ => Err(D::Error::custom("expected a text or a list of texts")),
    }
}

fn duration<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(source)?;
    let number = |digits: &str| digits.parse::<u64>().map_err(|_| D::Error::custom("expected `10s` or `500ms`"));
    match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(digits), _) => Ok(Some(Duration::from_millis(number(digits)?))),
        (None, Some(digits)) => Ok(Some(Duration::from_secs(number(digits)?))),
        (None, None) => Err(D::Error::custom("expected `10s` or `500ms`")),
    }
}
