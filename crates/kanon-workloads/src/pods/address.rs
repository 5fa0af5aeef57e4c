//! Addresses of pods: the next free one of `10.244.0.0/14`.

use std::{collections::BTreeMap, net::Ipv4Addr};

/// Network of the pods: its first address, and how many there are.
const FIRST: u32 = u32::from_be_bytes([10, 244, 0, 0]);
const COUNT: u32 = 1 << 18;

/// Which addresses are taken, by how many: two pods may say they have the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses {
    taken: BTreeMap<String, u32>,
    next: u32,
}

impl Addresses {
    pub(crate) fn take(&mut self, address: &str) {
        if !address.is_empty() {
            *self.taken.entry(address.to_owned()).or_default() += 1;
        }
    }

    pub(crate) fn give_back(&mut self, address: &str) {
        if let Some(count) = self.taken.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                self.taken.remove(address);
            }
        }
    }

    /// A free address; the one whose turn it is where none is free.
    pub(crate) fn next(&mut self) -> String {
        let mut tries = 0;
        loop {
            self.next = (self.next + 1) % COUNT;
            let address = Ipv4Addr::from(FIRST + self.next);
            tries += 1;
            let is_plain = !matches!(address.octets()[3], 0 | 255);
            let text = address.to_string();
            if (is_plain && !self.taken.contains_key(&text)) || tries > COUNT {
                return text;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_not_given_twice() {
        let mut addresses = Addresses::default();
        addresses.take("10.244.0.2");
        assert_eq!(addresses.next(), "10.244.0.1");
        assert_eq!(addresses.next(), "10.244.0.3");
        let many: Vec<String> = (0..300).map(|_| addresses.next()).collect();
        assert!(many.contains(&"10.244.1.1".to_owned()) && !many.contains(&"10.244.1.0".to_owned()));
    }
}
