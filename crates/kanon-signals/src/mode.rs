//! Signal modes: whether a signal tells of an incident or of one to come (spec/signal-approval 2). A table, no program; read
//! once at the start.

use std::collections::BTreeMap;

use kanon_core::Digest;
use serde::Deserialize;
use serde_json::{Value, json};

/// Alert names that foretell an incident, with the signal they foretell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignalModes {
    proactive: BTreeMap<String, String>,
    /// Digest of the text, 64 hex digits; none when there was no text.
    pub hash: Option<Digest>,
}

/// The mode of one signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalMode {
    /// Whether the incident is still to come.
    pub proactive: bool,
    /// The signal to look workflows up by.
    pub name: String,
    /// The name it came with, when that was another; else empty.
    pub source_name: String,
}

/// Why a text is no table of modes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`proactive_signal_mappings` cannot be read: {problem}")]
pub struct ModeError {
    /// What is wrong.
    pub problem: String,
}

#[derive(Deserialize)]
struct Table {
    #[serde(default)]
    proactive_signal_mappings: Option<BTreeMap<String, String>>,
}

impl SignalModes {
    /// Reads the table. An empty one makes every signal reactive.
    ///
    /// # Errors
    /// Text that is not YAML, or not a map of names to names.
    pub fn parse(text: &str) -> Result<SignalModes, ModeError> {
        let table: Option<Table> = serde_saphyr::from_str(text).map_err(|error| {
            let problem = error.without_snippet().to_string();
            ModeError { problem: problem.lines().next().unwrap_or_default().to_owned() }
        })?;
        let proactive = table.and_then(|it| it.proactive_signal_mappings).unwrap_or_default();
        Ok(SignalModes { proactive, hash: Some(Digest::of(&[text.as_bytes()])) })
    }

    /// The mode of a signal: names are compared exactly.
    pub fn of(&self, name: &str) -> SignalMode {
        match self.proactive.get(name).filter(|_| !name.is_empty()) {
            Some(base) => SignalMode { proactive: true, name: base.clone(), source_name: name.to_owned() },
            None => SignalMode { proactive: false, name: name.to_owned(), source_name: String::new() },
        }
    }

    /// Every proactive name with what it foretells.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.proactive.iter().map(|(name, base)| (name.as_str(), base.as_str()))
    }
}

impl SignalMode {
    /// `proactive` or `reactive`.
    pub fn as_str(&self) -> &'static str {
        if self.proactive { "proactive" } else { "reactive" }
    }

    /// The three fields as an object's status has them.
    pub fn to_json(&self) -> Value {
        json!({"signalMode": self.as_str(), "signalName": self.name, "sourceSignalName": self.source_name})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_the_table_are_proactive_and_all_others_reactive() {
        let modes = SignalModes::parse(crate::SIGNAL_MODES).unwrap();
        let mode = |name: &str| {
            let it = modes.of(name);
            format!("{} {} {}", it.as_str(), it.name, it.source_name)
        };
        assert_eq!(mode("PredictedOOMKill"), "proactive OOMKilled PredictedOOMKill");
        assert_eq!(mode("PredictedCPUThrottling"), "proactive CPUThrottling PredictedCPUThrottling");
        assert_eq!(mode("PredictedDiskPressure"), "proactive DiskPressure PredictedDiskPressure");
        assert_eq!(mode("PredictedNodeNotReady"), "proactive NodeNotReady PredictedNodeNotReady");
        assert_eq!(mode("predictedoomkill"), "reactive predictedoomkill ");
        assert_eq!(mode("OOMKilled"), "reactive OOMKilled ");
        assert_eq!(mode(""), "reactive  ");
    }

    #[test]
    fn empty_tables_are_fine_and_other_texts_are_not() {
        for text in ["", "proactive_signal_mappings:\n", "proactive_signal_mappings: {}\n", "other: 1\n"] {
            assert_eq!(SignalModes::parse(text).map(|it| it.iter().count()), Ok(0), "{text}");
        }
        for text in
            ["[1, 2]", "proactive_signal_mappings: [a]\n", "proactive_signal_mappings: {a: {b: c}}\n", "a: b: c"]
        {
            assert!(SignalModes::parse(text).is_err(), "{text}");
        }
    }
}
