//! Values with an equality of their own: a label's value equals booleans and numbers that are written like it, a metric is a
//! number with members (spec/promotion-gates 2.4.3, 2.4.6).

use std::{borrow::Cow, cmp::Ordering};

use jiff::Timestamp;
use kanon_lang::{Arena, Opaque, Value};

use crate::metric::Metric;

/// The value of a label: text, except that it equals `true`, `false` and numbers that it spells.
pub(crate) struct LabelValue<'i> {
    pub(crate) text: &'i str,
}

impl Opaque for LabelValue<'_> {
    fn type_name(&self) -> &'static str {
        "string"
    }

    fn equals(&self, other: Value<'_>) -> Option<bool> {
        match other {
            Value::Str(text) => Some(self.text == text),
            Value::Bool(bool) => Some(self.text == if bool { "true" } else { "false" }),
            Value::Opaque(other) => Some(matches!(other.plain(), Some(Value::Str(text)) if text == self.text)),
            _ => number(other).map(|it| self.text.parse::<f64>().is_ok_and(|own| own == it)),
        }
    }

    fn compare(&self, other: Value<'_>) -> Option<Ordering> {
        match other {
            Value::Str(text) => Some(self.text.cmp(text)),
            Value::Opaque(other) => match other.plain() {
                Some(Value::Str(text)) => Some(self.text.cmp(text)),
                _ => None,
            },
            _ => None,
        }
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.text)
    }

    fn plain(&self) -> Option<Value<'_>> {
        Some(Value::Str(self.text))
    }
}

/// `metrics.<name>`: a number that also has members.
pub(crate) struct MetricValue<'i> {
    number: MetricNumber<'i>,
    result: MetricResult<'i>,
    age_sec: Option<i64>,
}

impl<'i> MetricValue<'i> {
    pub(crate) fn new(name: &str, metric: &'i Metric, now: Timestamp, arena: &'i Arena) -> MetricValue<'i> {
        let problem: Option<&str> = if metric.is_stale(now) {
            Some(arena.alloc_str(&format!("metric \"{name}\" is stale")))
        } else if metric.value.is_none() {
            Some(arena.alloc_str(&format!("metric \"{name}\" has no value")))
        } else {
            None
        };
        let stale = problem.filter(|_| metric.is_stale(now));
        MetricValue {
            number: MetricNumber { value: metric.value.unwrap_or_default(), text: &metric.text, problem },
            result: MetricResult { text: &metric.result, problem: stale },
            age_sec: metric.measured_at.map(|at| now.duration_since(at).as_secs().max(0)),
        }
    }
}

impl Opaque for MetricValue<'_> {
    fn type_name(&self) -> &'static str {
        "double"
    }

    fn equals(&self, other: Value<'_>) -> Option<bool> {
        number(other).map(|it| self.number.value == it)
    }

    fn compare(&self, other: Value<'_>) -> Option<Ordering> {
        self.number.compare(other)
    }

    fn text(&self) -> Cow<'_, str> {
        self.number.text()
    }

    fn member<'a>(&'a self, name: &str, _: &'a Arena) -> Option<Value<'a>> {
        Some(match name {
            "value" => Value::Opaque(&self.number),
            "result" => Value::Opaque(&self.result),
            "passed" if self.result.problem.is_none() => Value::Bool(self.result.text.eq_ignore_ascii_case("Pass")),
            // Stale: the use of this one says so.
            "passed" => Value::Opaque(&self.result),
            "ageSeconds" => Value::Int(self.age_sec?),
            _ => return None,
        })
    }

    fn plain(&self) -> Option<Value<'_>> {
        Some(Value::Float(self.number.value))
    }

    fn problem(&self) -> Option<&str> {
        self.number.problem
    }
}

/// `metrics.<name>.value`: the number, which also equals its text.
struct MetricNumber<'i> {
    value: f64,
    text: &'i str,
    problem: Option<&'i str>,
}

impl Opaque for MetricNumber<'_> {
    fn type_name(&self) -> &'static str {
        "double"
    }

    fn equals(&self, other: Value<'_>) -> Option<bool> {
        match other {
            Value::Str(text) => Some(self.text == text || self.value.to_string() == text),
            _ => number(other).map(|it| self.value == it),
        }
    }

    fn compare(&self, other: Value<'_>) -> Option<Ordering> {
        number(other).and_then(|it| self.value.partial_cmp(&it))
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.text)
    }

    fn plain(&self) -> Option<Value<'_>> {
        Some(Value::Float(self.value))
    }

    fn problem(&self) -> Option<&str> {
        self.problem
    }
}

/// `metrics.<name>.result`: text that equals without regard to case, as documents and code write it differently.
struct MetricResult<'i> {
    text: &'i str,
    problem: Option<&'i str>,
}

impl Opaque for MetricResult<'_> {
    fn type_name(&self) -> &'static str {
        "string"
    }

    fn equals(&self, other: Value<'_>) -> Option<bool> {
        match other {
            Value::Str(text) => Some(self.text.eq_ignore_ascii_case(text)),
            Value::Opaque(other) => {
                Some(matches!(other.plain(), Some(Value::Str(text)) if self.text.eq_ignore_ascii_case(text)))
            }
            _ => None,
        }
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.text)
    }

    fn plain(&self) -> Option<Value<'_>> {
        Some(Value::Str(self.text))
    }

    fn problem(&self) -> Option<&str> {
        self.problem
    }
}

/// The number that a value is, or stands for.
fn number(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Int(int) => Some(int as f64),
        Value::UInt(uint) => Some(uint as f64),
        Value::Float(float) => Some(float),
        Value::Opaque(opaque) if opaque.problem().is_none() => match opaque.plain() {
            Some(Value::Float(float)) => Some(float),
            _ => None,
        },
        _ => None,
    }
}
