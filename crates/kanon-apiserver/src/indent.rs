//! Compact JSON with line breaks and indentation for people, piece by piece: a list of any length needs no more memory than its
//! longest piece. It checks nothing: what it gets is our own text.

/// One level.
const STEP: &[u8] = b"  ";

/// Where a text stands between two pieces.
#[derive(Debug, Default)]
pub(crate) struct Indenter {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// Right after an opening bracket: what follows decides whether there is anything inside.
    opened: bool,
}

impl Indenter {
    /// Appends the next piece; pieces may be cut anywhere.
    pub(crate) fn push(&mut self, text: &[u8], out: &mut Vec<u8>) {
        for &byte in text {
            if self.in_string {
                out.push(byte);
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            let was_opened = std::mem::take(&mut self.opened);
            match byte {
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if !was_opened {
                        self.line(out);
                    }
                    out.push(byte);
                }
                _ => {
                    if was_opened {
                        self.line(out);
                    }
                    self.inside(byte, out);
                }
            }
        }
    }

    fn inside(&mut self, byte: u8, out: &mut Vec<u8>) {
        out.push(byte);
        match byte {
            b'{' | b'[' => {
                self.depth += 1;
                self.opened = true;
            }
            b',' => self.line(out),
            b':' => out.push(b' '),
            b'"' => self.in_string = true,
            _ => {}
        }
    }

    fn line(&self, out: &mut Vec<u8>) {
        out.push(b'\n');
        for _ in 0..self.depth {
            out.extend_from_slice(STEP);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_cut_gives_what_serde_would_write() {
        let value = json!({"a": [], "b": {}, "c": [1, "x,{\"\\", {"d": null}], "e": {"f": [true, [[]]]}, "ä": -1.5e3});
        let text = value.to_string();
        let want = serde_json::to_string_pretty(&value).expect("JSON");
        for cut in 0..=text.len() {
            let (mut indenter, mut out) = (Indenter::default(), Vec::new());
            indenter.push(&text.as_bytes()[..cut], &mut out);
            indenter.push(&text.as_bytes()[cut..], &mut out);
            assert_eq!(String::from_utf8(out).expect("text"), want, "cut at {cut}");
        }
        for value in [Value::Null, json!("a"), json!([]), json!({})] {
            let mut out = Vec::new();
            Indenter::default().push(value.to_string().as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).expect("text"), serde_json::to_string_pretty(&value).expect("JSON"));
        }
    }
}
