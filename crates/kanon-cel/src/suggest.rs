//! The name that was probably meant.

/// The nearest of `known` to `name`, if it is near: at most a third of its letters differ.
pub(crate) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // Long names are not compared: nobody mistypes them, and the comparison takes their product.
    if name.len() > 64 {
        return None;
    }
    let limit = name.chars().count() / 3;
    let near = |it: &'n str| (it.len() <= 64 && it != name).then(|| (distance(name, it), it));
    known.into_iter().filter_map(near).filter(|it| it.0 <= limit).min().map(|it| it.1)
}

/// How many letters to insert, remove, replace or swap with the next.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = [vec![0; b.len() + 1], (0..=b.len()).collect(), vec![0; b.len() + 1]];
    for (i, letter) in a.iter().enumerate() {
        let [before, last, row] = &mut rows;
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(!letter.eq_ignore_ascii_case(other));
            row[j + 1] = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *other && b[j - 1] == *letter {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        rows.rotate_left(1);
    }
    rows[1][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_names_are_suggested() {
        let known = ["metadata", "spec", "startsWith", "size"];
        let cases = [
            ("metdata", Some("metadata")),
            ("sepc", Some("spec")),
            ("startswith", Some("startsWith")),
            ("sise", Some("size")),
            ("x", None),
            ("somethingElse", None),
        ];
        for (name, want) in cases {
            assert_eq!(nearest(name, known), want, "{name}");
        }
    }
}
