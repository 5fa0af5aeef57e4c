//! Regular expressions: RE2 syntax, linear time, bounded size.

use regex::{Regex, RegexBuilder};

/// Bytes that one compiled pattern may take (spec/rules 2.11: regex size limits).
const MAX_SIZE: usize = 1 << 20;

/// Compiles a pattern.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern).size_limit(MAX_SIZE).dfa_size_limit(MAX_SIZE).nest_limit(100).build().map_err(|error| {
        match error {
            regex::Error::CompiledTooBig(_) => format!("regular expression `{pattern}` is too large"),
            error => {
                let text = error.to_string();
                // The crate draws the place below several lines; the last one says what is wrong.
                let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                format!("error parsing regexp: {reason}: `{pattern}`")
            }
        }
    })
}
