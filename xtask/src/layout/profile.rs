//! Reads which instructions of a binary ran out of a file of callgrind's (`--dump-instr=yes`). Nothing of it is counted.

use std::collections::{BTreeMap, BTreeSet};

/// The addresses in `object` that ran.
pub(super) fn executed(profile: &str, object: &str) -> BTreeSet<u64> {
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    let mut ran = BTreeSet::new();
    let (mut here, mut last) = (false, 0u64);
    for line in profile.lines() {
        if let Some(named) = line.strip_prefix("ob=").or_else(|| line.strip_prefix("cob=")) {
            // `(3) /path` the first time, `(3)` from then on.
            let (id, path) = named.split_once(' ').unwrap_or((named, ""));
            if !path.is_empty() {
                names.insert(id, path);
            }
            if line.starts_with("ob=") {
                here = names.get(id).is_some_and(|it| *it == object);
            }
            continue;
        }
        let Some(address) = address(line, last) else { continue };
        last = address;
        if here {
            ran.insert(address);
        }
    }
    ran
}

/// The address that a line of costs begins with: whole, by its distance from the last one, or the same.
fn address(line: &str, last: u64) -> Option<u64> {
    let word = line.split(' ').next()?;
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    match word.split_at_checked(1)? {
        ("*", "") => Some(last),
        ("+", more) => last.checked_add(number(more)?),
        ("-", less) => last.checked_sub(number(less)?),
        ("0", _) => number(word).filter(|_| word.starts_with("0x")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_object_are_gathered() {
        let profile = "version: 1\npositions: instr line\nob=(1) /bin/kanon\nfn=(1) main\n0x10 3 1\n+5 * 2\ncob=(2) /lib/c\n\
            cfn=(9) malloc\ncalls=1 0x9000\n* 7 40\n-1 3 1\nob=(2)\n0x9000 1 1\nob=(1)\n0x2f 1 1\n";
        assert_eq!(executed(profile, "/bin/kanon").into_iter().collect::<Vec<_>>(), [0x10, 0x14, 0x15, 0x2f]);
    }
}
