//! `Warning` headers: texts quoted, and bounded as upstream bounds them, since clients bound their headers.

/// Letters of all warnings together; beyond, each is cut.
const TOTAL_MAX: usize = 4 * 1024;
/// Letters of each then.
const EACH_MAX: usize = 256;

/// The headers' values. When all warnings together are too long each is cut, and those beyond the bound are left out.
pub(super) fn values(warnings: &[String]) -> Vec<String> {
    let length = |text: &str| text.chars().count();
    let fit = warnings.iter().map(|it| length(it)).sum::<usize>() <= TOTAL_MAX;
    let mut written = 0;
    let mut out = Vec::new();
    for text in warnings.iter().filter(|it| !it.is_empty()) {
        if !fit && written >= TOTAL_MAX {
            break;
        }
        let shown: String = if fit { text.clone() } else { text.chars().take(EACH_MAX).collect() };
        written += length(&shown);
        out.push(value(&shown));
    }
    out
}

/// `299 - "text"`, with what would end the text or the header taken care of.
fn value(text: &str) -> String {
    let mut value = String::from("299 - \"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => value.extend(['\\', letter]),
            it if it.is_control() => value.push(' '),
            it => value.push(it),
        }
    }
    value.push('"');
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(warnings: &[usize]) -> Vec<usize> {
        let warnings: Vec<String> = warnings.iter().map(|it| "ä".repeat(*it)).collect();
        values(&warnings).iter().map(|it| it.chars().count() - r#"299 - """#.len()).collect()
    }

    #[test]
    fn warnings_are_quoted() {
        assert_eq!(values(&["unknown field \"a\"\n".to_owned(), String::new()]), [r#"299 - "unknown field \"a\" ""#]);
    }

    #[test]
    fn too_many_are_cut_and_then_left_out() {
        assert_eq!(lengths(&[4096]), [4096]);
        assert_eq!(lengths(&[5000]), [256]);
        assert_eq!(lengths(&[10, 5000, 300]), [10, 256, 256]);
        assert_eq!(lengths(&[1000; 40]), [256; 16]);
    }
}
