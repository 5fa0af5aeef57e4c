//! Costs of functions: cel-go's for the standard library and its extensions, Kubernetes' for its own libraries. What neither
//! names costs one.

use kanon_lang::Type;

use super::{
    Range,
    walk::{Estimator, Facts, LIST, PATTERN, Place, Step, TRAVERSAL},
};
use crate::{
    ast::{Call, Constant, Expr, Kind},
    check::{Pass, Reference},
};

/// How long a pattern behind a named format counts.
const FORMAT_PATTERN: f64 = 128.0;

/// A call's own cost, and the size of its result where that is known.
type Own = (Range, Option<Range>);

impl<'b> Estimator<'b> {
    pub(super) fn call(&mut self, call: &'b Call, expr: &'b Expr) -> Facts<'b> {
        let Reference::Function { overloads, pass } = self.checked.reference(expr.id) else {
            return self.made(expr, Range::ZERO, None);
        };
        let target = match pass {
            Pass::Receiver => call.target.as_ref().map(|it| self.expr(it)),
            Pass::Plain | Pass::Packed => None,
        };
        let args: Vec<Facts<'b>> = call.args.iter().map(|it| self.expr(it)).collect();
        let mut paid = args.iter().chain(&target).fold(Range::ZERO, |sum, it| sum.plus(it.cost));
        if *pass == Pass::Packed {
            paid = paid.plus(Range::fixed(LIST));
        }
        // All overloads of a name are called the same.
        let name = overloads.first().map_or("", |it| it.name);
        if name == "dyn"
            && let [only] = &args[..]
        {
            return Facts { cost: paid.plus(Range::fixed(1)), ..only.clone() };
        }
        let own = match &target {
            Some(target) => self.method(name, target, &args, call),
            None => self.free(name, &args),
        };
        let (cost, size) = own.unwrap_or((Range::fixed(1), None));
        self.made(expr, paid.plus(cost), size)
    }

    fn method(&self, name: &str, target: &Facts<'b>, args: &[Facts<'b>], call: &Call) -> Option<Own> {
        let size = self.size(target);
        let of_arg = |at: usize| args.get(at).map_or(Range::ZERO, |it| self.size(it));
        let read = |size: Range| size.scaled(TRAVERSAL);
        Some(match name {
            "contains" => (read(size).times(read(of_arg(0))), None),
            "startsWith" | "endsWith" => (read(of_arg(0)), None),
            "matches" => (matched(size, of_arg(0)), None),
            "find" | "findAll" => (matched(size, of_arg(0)), Some(Range::up_to(size.max))),
            "lowerAscii" | "upperAscii" | "substring" | "trim" => (read(size), Some(size)),
            "format" => (read(size), None),
            "replace" => (size.scaled(2.0 * TRAVERSAL), Some(replaced(size, of_arg(0), of_arg(1)))),
            "split" => {
                // Every character may be a part, unless the number of parts is written there.
                let most = call.args.get(1).and_then(count).unwrap_or(size.max);
                (size.scaled(2.0 * TRAVERSAL), Some(Range::up_to(most)))
            }
            "join" => {
                let separators = Range { min: size.min.saturating_sub(1), max: size.max.saturating_sub(1) };
                let text = size.times(self.element(target).map_or(Range::ZERO, |it| it.1));
                let text = if args.is_empty() { text } else { text.plus(of_arg(0).times(separators)) };
                (read(text), Some(text))
            }
            "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" => match self.element(target) {
                Some((of, element)) => {
                    let text = matches!(of, Type::String | Type::Bytes);
                    let each = if text { Range::fixed(1).plus(read(element)) } else { Range::fixed(1) };
                    (size.times(each), None)
                }
                None => (read(size), None),
            },
            "containsIP" => {
                let address = Range { min: 4, max: 16 };
                (read(address.plus(address)).plus(self.parsed(args)), None)
            }
            "containsCIDR" => {
                let address = Range { min: 4, max: 16 };
                let compared = read(address.plus(address)).plus(read(address)).plus(Range::fixed(1));
                (compared.plus(self.parsed(args)), None)
            }
            "validate" => (read(of_arg(0)).scaled(FORMAT_PATTERN * PATTERN), None),
            "slice" | "reverse" if matches!(target.of, Type::List(_)) => allocating(1.0, size),
            "flatten" => {
                let depth = call.args.first().map_or(Some(1), count).unwrap_or(u64::MAX);
                allocating(depth as f64, size)
            }
            "distinct" => allocating(2.0, size.times(size)),
            "sort" => allocating(self.sort_factor(target), size.times(size)),
            _ => return None,
        })
    }

    fn free(&self, name: &str, args: &[Facts<'b>]) -> Option<Own> {
        let first = args.first()?;
        let size = self.size(first);
        Some(match name {
            "url" => (size.scaled(TRAVERSAL), None),
            "string" if first.of == Type::Bytes => {
                (size.scaled(TRAVERSAL), Some(Range { min: size.min / 4, max: size.max }))
            }
            "bytes" if first.of == Type::String => {
                (size.scaled(TRAVERSAL), Some(Range { min: size.min, max: size.max.saturating_mul(4) }))
            }
            "strings.quote" => {
                let quotes = Range::fixed(2);
                (size.scaled(TRAVERSAL), Some(Range { min: size.min, max: size.max.saturating_mul(2) }.plus(quotes)))
            }
            "sets.contains" | "sets.intersects" | "sets.equivalent" => {
                let factor = if name == "sets.equivalent" { 2.0 } else { 1.0 };
                let pairs = size.times(args.get(1).map_or(Range::ZERO, |it| self.size(it)));
                (pairs.scaled(factor).plus(Range::fixed(1)), None)
            }
            "lists.range" => allocating(1.0, Range::up_to(u64::MAX)),
            _ => return None,
        })
    }

    /// Type and size of a list's elements; `None` where the value is no list.
    fn element(&self, list: &Facts<'b>) -> Option<(Type, Range)> {
        let Type::List(of) = &list.of else { return None };
        // By place only: what was made has elements of any size.
        let size = match list.place {
            Place::Nowhere => Range::UNKNOWN,
            place => match self.step(place, Step::Elements) {
                Place::At(bound) => Range::up_to(bound.most),
                Place::Nowhere | Place::Unknown => Range::UNKNOWN,
            },
        };
        Some(((**of).clone(), size))
    }

    /// What reading an argument costs, if it is text.
    fn parsed(&self, args: &[Facts<'b>]) -> Range {
        match args.first() {
            Some(it) if it.of == Type::String => self.size(it).scaled(TRAVERSAL),
            _ => Range::ZERO,
        }
    }

    fn sort_factor(&self, list: &Facts<'b>) -> f64 {
        match &list.of {
            Type::List(of) if matches!(**of, Type::String | Type::Bytes) => 2.0 + TRAVERSAL,
            _ => 2.0,
        }
    }
}

/// A number that is written in the program.
fn count(expr: &Expr) -> Option<u64> {
    match &expr.kind {
        Kind::Literal(literal) => match literal.value {
            Constant::Int(int) => u64::try_from(int).ok(),
            _ => None,
        },
        _ => None,
    }
}

/// Matching: the text's length, and one more for what may be found in an empty one, times the pattern's.
fn matched(text: Range, pattern: Range) -> Range {
    text.plus(Range::fixed(1)).scaled(TRAVERSAL).times(pattern.scaled(PATTERN))
}

/// A call that makes a list.
fn allocating(factor: f64, size: Range) -> Own {
    (size.scaled(factor).plus(Range::fixed(1 + LIST)), Some(size))
}

/// The size of a text in which `old` is replaced by `new`.
fn replaced(text: Range, old: Range, new: Range) -> Range {
    let parts = |size: u64, part: u64| (size as f64 / part as f64).ceil() as u64;
    // The longest: the shortest parts become the longest ones. Nothing is found around every character.
    let (max_count, max_kept) = match old.min {
        0 => (text.max.saturating_add(1), text.max),
        shortest if new.max <= shortest => (0, text.max),
        shortest => (parts(text.max, shortest), 0),
    };
    let (min_count, min_kept) = match old.max {
        0 => (text.min.saturating_add(1), text.min),
        longest if longest <= new.min => (0, text.min),
        longest => (parts(text.min, longest), 0),
    };
    Range { min: min_count, max: max_count }.times(new).plus(Range { min: min_kept, max: max_kept })
}
