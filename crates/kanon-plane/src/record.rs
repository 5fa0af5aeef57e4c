//! Decision records, each chained to the one before by its hash.
//!
//! A line of the log is `{"seq":7,"prev":"<hex>","hash":"<hex>","record":{…}}`, where
//! `hash = SHA-256(prev as hex, "\n", seq in decimal, "\n", the record's bytes as written)`.
//! Changing, dropping or reordering a line breaks every later one. The shell owns the files.

use std::borrow::Cow;

use kanon_core::{Digest, Effect, Now, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What a record may hold.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Payload {
    /// The log was opened by a process; `cut` bytes of a torn last line were dropped.
    Opened {
        /// When.
        now: Now,
        /// Version of the program.
        version: Cow<'static, str>,
        /// Bytes dropped.
        cut: u64,
    },
    /// A policy decided.
    Decision(Box<Verdict>),
    /// Requests that passed without a violation, sampled.
    Passes {
        /// When.
        now: Now,
        /// Passes since the last such record.
        count: u64,
        /// One of them.
        subject: kanon_core::ObjectRef,
    },
    /// Something is about to be done that others can see.
    Effect {
        /// When.
        now: Now,
        /// What.
        effect: Box<Effect>,
    },
    /// An effect ended.
    Outcome {
        /// When.
        now: Now,
        /// Which effect.
        effect: kanon_core::EffectId,
        /// Why it was given up; empty when it succeeded.
        #[serde(skip_serializing_if = "String::is_empty")]
        error: String,
    },
}

/// A finished line of the log, without its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Number of the record, from 1.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
    /// The text to append.
    pub text: String,
}

/// The end of the chain, to which the next record is tied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    seq: u64,
    hash: Digest,
}

#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    seq: u64,
    prev: Digest,
    hash: Digest,
    #[serde(borrow)]
    record: Cow<'a, RawValue>,
}

impl Default for Chain {
    fn default() -> Chain {
        Chain { seq: 0, hash: Digest::ZERO }
    }
}

impl Chain {
    /// The chain whose last record is number `seq` with this hash.
    pub fn resume(seq: u64, hash: Digest) -> Chain {
        Chain { seq, hash }
    }

    /// Number of the last record; 0 for an empty chain.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Hash of the last record.
    pub fn hash(&self) -> Digest {
        self.hash
    }

    /// Chains one more record.
    ///
    /// # Errors
    /// A payload that is no JSON; none of ours is.
    pub fn append(&mut self, payload: &Payload) -> Result<Line, serde_json::Error> {
        let record = serde_json::value::to_raw_value(payload)?;
        let (seq, prev) = (self.seq + 1, self.hash);
        let hash = link(prev, seq, &record);
        let text = serde_json::to_string(&Envelope { seq, prev, hash, record: Cow::Owned(record) })?;
        *self = Chain { seq, hash };
        Ok(Line { seq, hash, text })
    }
}

fn link(prev: Digest, seq: u64, record: &RawValue) -> Digest {
    Digest::of(&[prev.to_string().as_bytes(), b"\n", seq.to_string().as_bytes(), b"\n", record.get().as_bytes()])
}

/// Where a chain is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// A line is no record.
    #[error("not a record: {0}")]
    Malformed(String),
    /// The line before is not the one this record was chained to.
    #[error("record {seq} follows record {after}: {problem}")]
    Order {
        /// This record's number.
        seq: u64,
        /// The number of the record before it.
        after: u64,
        /// What does not fit.
        problem: &'static str,
    },
    /// The record is not what it was when it was written.
    #[error("record {seq} was changed: its hash does not match its content")]
    Changed {
        /// Its number.
        seq: u64,
    },
}

/// Follows a chain line by line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verifier {
    chain: Chain,
}

impl Verifier {
    /// Begins after the record that `chain` names.
    pub fn after(chain: Chain) -> Verifier {
        Verifier { chain }
    }

    /// The end reached so far.
    pub fn chain(&self) -> Chain {
        self.chain
    }

    /// Checks the next line and gives its record's JSON text.
    ///
    /// # Errors
    /// The first thing that does not fit; the verifier stays where it was.
    pub fn check<'l>(&mut self, line: &'l str) -> Result<Cow<'l, RawValue>, Break> {
        let envelope: Envelope<'l> = serde_json::from_str(line).map_err(|it| Break::Malformed(it.to_string()))?;
        let Envelope { seq, prev, hash, record } = envelope;
        let order = |problem| Break::Order { seq, after: self.chain.seq, problem };
        if seq != self.chain.seq + 1 {
            return Err(order("the numbers do not follow each other"));
        }
        if prev != self.chain.hash {
            return Err(order("it was chained to another record"));
        }
        if link(prev, seq, &record) != hash {
            return Err(Break::Changed { seq });
        }
        self.chain = Chain { seq, hash };
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use kanon_core::EffectId;

    use super::*;

    fn lines(count: u32) -> Vec<String> {
        let mut chain = Chain::default();
        let now = Now::new(jiff::Timestamp::UNIX_EPOCH, kanon_core::Mono::default());
        let payload = |n: u32| Payload::Outcome { now, effect: EffectId(n.to_string()), error: String::new() };
        (0..count).map(|n| chain.append(&payload(n)).unwrap().text).collect()
    }

    fn verify(lines: &[String]) -> Result<u64, Break> {
        let mut verifier = Verifier::default();
        lines.iter().try_for_each(|line| verifier.check(line).map(|_| ()))?;
        Ok(verifier.chain().seq())
    }

    #[test]
    fn an_untouched_chain_verifies_from_any_known_record() {
        let lines = lines(4);
        assert_eq!(verify(&lines), Ok(4));
        let mut first = Verifier::default();
        first.check(&lines[0]).unwrap();
        let mut rest = Verifier::after(first.chain());
        assert!(lines[1..].iter().all(|line| rest.check(line).is_ok()));
    }

    #[test]
    fn every_tampering_is_found() {
        let good = lines(4);
        let mut changed = good.clone();
        changed[2] = changed[2].replace(r#""effect":"2""#, r#""effect":"9""#);
        assert_eq!(verify(&changed), Err(Break::Changed { seq: 3 }));
        let mut dropped = good.clone();
        dropped.remove(1);
        assert!(matches!(verify(&dropped), Err(Break::Order { seq: 3, after: 1, .. })));
        let mut swapped = good.clone();
        swapped.swap(1, 2);
        assert!(verify(&swapped).is_err());
        let mut torn = good;
        torn[3].truncate(20);
        assert!(matches!(verify(&torn), Err(Break::Malformed(_))));
    }
}
