//! Approval: whether a person must agree to a remediation, and why (spec/signal-approval 3.1, 3.4). Whatever goes wrong, the
//! answer is that one must.

use std::{cmp::Reverse, fmt};

use kanon_core::{Digest, Now, Object};
use kanon_lang::{Diagnostics, Language};
use serde_json::{Number, Value, json};

use crate::{
    api::ApprovalInput,
    ask::{Answer, Query, Steps},
    policy::{Compiled, Surface, Trial},
};

mod trial;

/// The reason that says that nobody need be asked; a policy that asks all the same has not said why.
const AUTO_APPROVED: &str = "Auto-approved";
/// How the reason of every degraded decision ends.
const MANUAL: &str = "defaulting to manual approval";

/// Whether a remediation needs a person's approval.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// Whether it does.
    pub required: bool,
    /// Why, in one line.
    pub reason: String,
    /// Every factor that the policy gave, highest score first.
    pub risk_factors: Vec<RiskFactor>,
    /// Whether the policy could not be asked, or not understood.
    pub degraded: bool,
    /// Hash of the policy that was asked; none when there was none.
    pub policy: Option<Digest>,
}

/// One reason to be careful.
#[derive(Clone, Debug, PartialEq)]
pub struct RiskFactor {
    /// How much it weighs among the reasons; it decides nothing.
    pub score: Number,
    /// The reason.
    pub reason: String,
}

impl Approval {
    /// The answer where no policy is loaded.
    pub(crate) fn not_loaded(problem: &str) -> Approval {
        Approval::degraded(problem, Vec::new(), None)
    }

    fn degraded(problem: &str, risk_factors: Vec<RiskFactor>, policy: Option<Digest>) -> Approval {
        Approval { required: true, reason: format!("{problem} - {MANUAL}"), risk_factors, degraded: true, policy }
    }

    /// The decision by the policy's rule names, and `degraded`.
    pub fn to_json(&self) -> Value {
        let factor = |it: &RiskFactor| json!({"score": it.score, "reason": it.reason});
        json!({
            "require_approval": self.required,
            "reason": self.reason,
            "risk_factors": self.risk_factors.iter().map(factor).collect::<Vec<_>>(),
            "degraded": self.degraded,
        })
    }
}

/// The queries of an approval policy. All of them are lenient: built-ins that fail are undefined (3.1).
#[derive(Clone)]
pub struct Approver {
    /// The package, whose members are the answer.
    package: Query,
    /// The rule `risk_factors` alone, for when the package cannot be evaluated.
    risk_factors: Query,
}

impl fmt::Debug for Approver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Approver")
    }
}

impl Approver {
    /// Asks the policy.
    pub(crate) fn decide(&self, input: &ApprovalInput, hash: Digest, now: Now) -> Approval {
        let document = Object::from_value(&input.document());
        match self.package.ask(&document, Steps::APPROVAL, now) {
            Answer::Value(Value::Object(members)) => {
                let factors = members.get("risk_factors").map(factors).unwrap_or_default();
                read(members.get("require_approval"), members.get("reason"), factors, hash)
            }
            Answer::Value(_) => Approval::degraded("Invalid policy result format", Vec::new(), Some(hash)),
            Answer::Undefined => Approval::degraded("No policy result", Vec::new(), Some(hash)),
            Answer::Failed { message, .. } => {
                // Often only `reason` has two values; what the factors say is still worth telling.
                let factors = match self.risk_factors.ask(&document, Steps::RULE, now) {
                    Answer::Value(value) => factors(&value),
                    Answer::Undefined | Answer::Failed { .. } => Vec::new(),
                };
                let told = top(&factors).map(|it| format!("; {it}")).unwrap_or_default();
                Approval::degraded(&format!("Policy evaluation error: {message}{told}"), factors, Some(hash))
            }
        }
    }
}

/// The decision out of the package's members.
fn read(required: Option<&Value>, reason: Option<&Value>, risk_factors: Vec<RiskFactor>, hash: Digest) -> Approval {
    // What is not a boolean does not say that nobody need be asked.
    let required = required.and_then(Value::as_bool).unwrap_or(true);
    let reason = match (reason.and_then(Value::as_str), required) {
        (Some(AUTO_APPROVED) | None, true) => "Approval required by policy",
        (Some(reason), _) => reason,
        (None, false) => "Auto-approved by policy",
    };
    Approval { required, reason: reason.to_owned(), risk_factors, degraded: false, policy: Some(hash) }
}

/// The factors of `risk_factors`, highest score first, then by text. Elements of another shape are passed over.
fn factors(value: &Value) -> Vec<RiskFactor> {
    let factor = |it: &Value| {
        let Value::Number(score) = &it["score"] else { return None };
        Some(RiskFactor { score: score.clone(), reason: it["reason"].as_str()?.to_owned() })
    };
    let mut factors: Vec<_> = value.as_array().into_iter().flatten().filter_map(factor).collect();
    factors.sort_by(|one, other| {
        let key = |it: &RiskFactor| Reverse(it.score.as_f64().unwrap_or_default());
        key(one).partial_cmp(&key(other)).unwrap_or(std::cmp::Ordering::Equal).then(one.reason.cmp(&other.reason))
    });
    factors
}

/// The reasons that share the highest score.
fn top(factors: &[RiskFactor]) -> Option<String> {
    let highest = factors.first()?.score.as_f64();
    let reasons: Vec<_> =
        factors.iter().filter(|it| it.score.as_f64() == highest).map(|it| it.reason.as_str()).collect();
    Some(reasons.join("; "))
}

impl Compiled for Approver {
    const SURFACE: Surface = Surface::Approval;

    fn required(package: &str) -> &'static [&'static str] {
        if package == Surface::Approval.packages()[0] { &["require_approval"] } else { &["approval"] }
    }

    fn defaulted() -> &'static [&'static str] {
        &[]
    }

    fn compile(language: &dyn Language, text: &str, package: &str) -> Result<Approver, Diagnostics> {
        let query = |query: &str| Query::compile(language, text, package, query, false);
        // The same document in both forms of the package.
        Ok(Approver {
            package: query("data.aianalysis.approval")?,
            risk_factors: query("data.aianalysis.approval.risk_factors")?,
        })
    }

    fn try_out(&self, now: Now) -> Trial {
        trial::run(self, now)
    }

    fn answer(&self, input: &Value, now: Now) -> Result<Value, String> {
        let input = ApprovalInput::read(input).map_err(|error| error.to_string())?;
        Ok(self.decide(&input, Digest::ZERO, now).to_json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(required: Value, reason: Value, want: (bool, &str)) {
        let of = |value: &Value| (*value != json!("absent")).then(|| value.clone());
        let (required, reason) = (of(&required), of(&reason));
        let approval = read(required.as_ref(), reason.as_ref(), Vec::new(), Digest::ZERO);
        assert_eq!((approval.required, approval.reason.as_str()), want, "{required:?} {reason:?}");
        assert!(!approval.degraded);
    }

    #[test]
    fn what_is_not_a_clear_no_is_a_yes() {
        let absent = || json!("absent");
        check(json!(true), json!("why"), (true, "why"));
        check(json!(false), json!("why not"), (false, "why not"));
        check(json!(false), absent(), (false, "Auto-approved by policy"));
        check(json!(false), json!(1), (false, "Auto-approved by policy"));
        check(json!(true), absent(), (true, "Approval required by policy"));
        check(json!(true), json!("Auto-approved"), (true, "Approval required by policy"));
        check(absent(), json!("Auto-approved"), (true, "Approval required by policy"));
        for odd in [json!(null), json!(0), json!("false"), json!([]), json!({})] {
            check(odd, absent(), (true, "Approval required by policy"));
        }
    }

    #[test]
    fn factors_are_in_order_and_odd_ones_are_passed_over() {
        let value = json!([{"score": 70, "reason": "b"}, {"score": 95, "reason": "z"}, {"score": 95, "reason": "a"},
            {"score": "9", "reason": "x"}, {"score": 1}, 5]);
        let factors = factors(&value);
        let told: Vec<_> = factors.iter().map(|it| format!("{} {}", it.score, it.reason)).collect();
        assert_eq!(told, ["95 a", "95 z", "70 b"]);
        assert_eq!(top(&factors).as_deref(), Some("a; z"));
        assert_eq!(top(&[]), None);
    }
}
