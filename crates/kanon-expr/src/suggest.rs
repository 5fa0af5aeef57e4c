//! "Did you mean": the nearest of the names that would have been right.

/// A hint at the candidate that is nearest to `word`, if one is near enough to be meant.
pub(crate) fn help<'n>(word: &str, candidates: impl Iterator<Item = &'n str>) -> Option<String> {
    // One slip in three letters; a name of one or two letters is like everything.
    let most = word.chars().count() / 3;
    let near = candidates
        .filter(|name| *name != word)
        .map(|name| (if name.eq_ignore_ascii_case(word) { 0 } else { distance(word, name) }, name))
        .filter(|(slips, _)| *slips <= most)
        .min()?;
    Some(format!("did you mean `{}`?", near.1))
}

/// How many letters must be added, removed, changed or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let changed = last[j] + usize::from(x != y);
            let mut least = changed.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_not() {
        let names = ["startsWith", "endsWith", "len", "trim"];
        let help = |word| help(word, names.into_iter());
        assert_eq!(help("startswith").unwrap(), "did you mean `startsWith`?");
        assert_eq!(help("startWith").unwrap(), "did you mean `startsWith`?");
        assert_eq!(help("lne").unwrap(), "did you mean `len`?");
        assert_eq!(help("x"), None);
        assert_eq!(help("something"), None);
        assert_eq!(help("len"), None);
    }
}
