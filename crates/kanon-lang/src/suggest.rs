//! Which known name was meant: what front ends add to "unknown name" as help. Knows names only, no grammar.

use std::cmp::Reverse;

/// Longer words are no slips of the hand, and comparing them would cost more than it says.
const LEN_MAX: usize = 64;

/// The candidate nearest to `word`, when it is near enough to be what was meant: at most one slip for every three letters
/// (a letter too many, one missing, one wrong, two swapped), or the same letters in another case or with other separators.
/// Among equals the one with the longer common beginning is taken, then the first in the alphabet, whatever the order in
/// which they come.
pub fn suggest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let wanted: Vec<char> = word.chars().take(LEN_MAX + 1).collect();
    if wanted.is_empty() || wanted.len() > LEN_MAX {
        return None;
    }
    let slips_max = wanted.len().div_ceil(3);
    let near = candidates.into_iter().filter(|it| *it != word).filter_map(|candidate| {
        let letters: Vec<char> = candidate.chars().take(LEN_MAX + 1).collect();
        if letters.is_empty() || letters.len() > LEN_MAX {
            return None;
        }
        let common = wanted.iter().zip(&letters).take_while(|(a, b)| a == b).count();
        let slips = if folded(&wanted) == folded(&letters) { 0 } else { distance(&wanted, &letters, slips_max)? };
        // A word of which nothing is left was not meant.
        (slips < letters.len().min(wanted.len()) || slips == 0).then_some((slips, Reverse(common), candidate))
    });
    near.min().map(|(_, _, candidate)| candidate)
}

/// The help line for a suggestion: "did you mean `x`?"
pub fn did_you_mean<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    suggest(word, candidates).map(|it| format!("did you mean `{it}`?"))
}

/// `startsWith`, `starts_with` and `StartsWith` are one name to who types it.
fn folded(letters: &[char]) -> String {
    letters.iter().filter(|it| !matches!(it, '_' | '-')).flat_map(|it| it.to_lowercase()).collect()
}

/// Letters inserted, deleted, replaced, or swapped with their neighbour; `None` beyond `max`.
fn distance(a: &[char], b: &[char], max: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > max {
        return None;
    }
    // Three rows of the usual table: swaps look two rows back.
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let mut cost = (above[j] + usize::from(x != y)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().filter(|it| *it <= max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let names = ["object", "oldObject", "params", "startsWith", "endsWith", "size", "all", "any", "len", "é"];
        let cases = [
            ("objct", Some("object")),
            ("obejct", Some("object")),
            ("objects", Some("object")),
            ("OBJECT", Some("object")),
            ("starts_with", Some("startsWith")),
            ("startWith", Some("startsWith")),
            ("siez", Some("size")),
            ("lne", Some("len")),
            ("al", Some("all")),
            // A name that is known is not suggested for itself, and nothing else is near.
            ("object", None),
            ("zzz", None),
            ("x", None),
            ("e", None),
            ("", None),
            ("policy", None),
        ];
        for (word, want) in cases {
            assert_eq!(suggest(word, names), want, "{word}");
        }
    }

    #[test]
    fn ties_do_not_depend_on_the_order_of_candidates() {
        assert_eq!(suggest("bar", ["baz", "bat"]), Some("bat"));
        assert_eq!(suggest("bar", ["bat", "baz"]), Some("bat"));
        // The common beginning counts before the alphabet.
        assert_eq!(suggest("tags", ["bags", "tagz"]), Some("tagz"));
        assert_eq!(did_you_mean("tags", ["tagz"]).as_deref(), Some("did you mean `tagz`?"));
    }

    #[test]
    fn long_words_are_left_alone() {
        let long = "x".repeat(1 << 20);
        assert_eq!(suggest(&long, ["x", long.as_str()]), None);
        assert_eq!(suggest("x", [long.as_str()]), None);
    }
}
