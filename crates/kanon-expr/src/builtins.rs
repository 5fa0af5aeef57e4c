//! The built-in functions: names, arguments, and where each is carried out. One line a function in [`TABLE`].

pub(crate) mod bits;
pub(crate) mod convert;
pub(crate) mod json;
pub(crate) mod lists;
pub(crate) mod maps;
pub(crate) mod numbers;
pub(crate) mod strings;
pub(crate) mod time;

use kanon_lang::{Context, Native, Stop, Value};

use crate::{check::Base, value::type_name};

/// What stands at a place of a built-in that takes a predicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parameter {
    Value,
    Predicate,
    OptionalPredicate,
    OptionalValue,
}

/// What arguments a built-in takes, as far as the static check knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Any,
    Strings,
    Ints,
    /// A string, then an integer.
    StringInt,
    /// A list, then a string.
    Joined,
    /// So many strings, then an integer.
    TextThenCount(usize),
    /// A list, then a string.
    Sorted,
    /// One of these, with a complaint of the built-in's own.
    Own(&'static [Base]),
}

macro_rules! builtins {
    ($($variant:ident $name:literal ($least:expr, $most:expr) $takes:expr;)*) => {
        /// A built-in function.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Builtin { $($variant,)* }

        /// Name, least and most arguments, what they are; sorted by name.
        const TABLE: &[(&str, Builtin, usize, usize, Takes)] = {
            use Base::{Bytes, Float, Int, List, Map, Str};
            &[$(($name, Builtin::$variant, $least, $most, $takes),)*]
        };

        impl Builtin {
            /// Its body, as the machine calls it.
            pub(crate) fn native(self) -> Native {
                match self {
                    $(Builtin::$variant => |cx, args| call(cx, Builtin::$variant, args),)*
                }
            }
        }
    };
}

const MANY: usize = usize::MAX;

builtins! {
    Abs "abs" (1, 1) Takes::Own(&[Int, Float]);
    All "all" (2, 2) Takes::Any;
    Any "any" (2, 2) Takes::Any;
    BitAnd "bitand" (2, 2) Takes::Ints;
    BitNand "bitnand" (2, 2) Takes::Ints;
    BitNot "bitnot" (1, 1) Takes::Ints;
    BitOr "bitor" (2, 2) Takes::Ints;
    BitShl "bitshl" (2, 2) Takes::Ints;
    BitShr "bitshr" (2, 2) Takes::Ints;
    BitUshr "bitushr" (2, 2) Takes::Ints;
    BitXor "bitxor" (2, 2) Takes::Ints;
    Ceil "ceil" (1, 1) Takes::Own(&[Int, Float]);
    Concat "concat" (1, MANY) Takes::Own(&[List]);
    Count "count" (1, 2) Takes::Any;
    Date "date" (1, 3) Takes::Any;
    Duration "duration" (1, 1) Takes::Strings;
    Filter "filter" (2, 2) Takes::Any;
    Find "find" (2, 2) Takes::Any;
    FindIndex "findIndex" (2, 2) Takes::Any;
    FindLast "findLast" (2, 2) Takes::Any;
    FindLastIndex "findLastIndex" (2, 2) Takes::Any;
    First "first" (1, 1) Takes::Own(&[List, Str]);
    Flatten "flatten" (1, 1) Takes::Own(&[List]);
    Float "float" (1, 1) Takes::Own(&[Int, Float, Str]);
    Floor "floor" (1, 1) Takes::Own(&[Int, Float]);
    FromBase64 "fromBase64" (1, 1) Takes::Strings;
    FromJson "fromJSON" (1, 1) Takes::Strings;
    FromPairs "fromPairs" (1, 1) Takes::Own(&[List]);
    Get "get" (2, 2) Takes::Own(&[List, Map, Str]);
    GroupBy "groupBy" (2, 2) Takes::Any;
    HasPrefix "hasPrefix" (2, 2) Takes::Strings;
    HasSuffix "hasSuffix" (2, 2) Takes::Strings;
    IndexOf "indexOf" (2, 2) Takes::Strings;
    Int "int" (1, 1) Takes::Own(&[Int, Float, Str]);
    Join "join" (1, 2) Takes::Joined;
    Keys "keys" (1, 1) Takes::Own(&[Map]);
    Last "last" (1, 1) Takes::Own(&[List, Str]);
    LastIndexOf "lastIndexOf" (2, 2) Takes::Strings;
    Len "len" (1, 1) Takes::Own(&[List, Map, Str, Bytes]);
    Lower "lower" (1, 1) Takes::Strings;
    Map "map" (2, 2) Takes::Any;
    Max "max" (1, MANY) Takes::Own(&[Int, Float, List]);
    Mean "mean" (1, MANY) Takes::Own(&[Int, Float, List]);
    Median "median" (1, MANY) Takes::Own(&[Int, Float, List]);
    Min "min" (1, MANY) Takes::Own(&[Int, Float, List]);
    None "none" (2, 2) Takes::Any;
    Now "now" (0, 0) Takes::Any;
    One "one" (2, 2) Takes::Any;
    Reduce "reduce" (2, 3) Takes::Any;
    Repeat "repeat" (2, 2) Takes::StringInt;
    Replace "replace" (3, 4) Takes::TextThenCount(3);
    Reverse "reverse" (1, 1) Takes::Own(&[List]);
    Round "round" (1, 1) Takes::Own(&[Int, Float]);
    Sort "sort" (1, 2) Takes::Sorted;
    SortBy "sortBy" (2, 3) Takes::Any;
    Split "split" (2, 3) Takes::TextThenCount(2);
    SplitAfter "splitAfter" (2, 3) Takes::TextThenCount(2);
    String "string" (1, 1) Takes::Any;
    Sum "sum" (1, 2) Takes::Any;
    Take "take" (2, 2) Takes::Own(&[List]);
    Timezone "timezone" (1, 1) Takes::Strings;
    ToBase64 "toBase64" (1, 1) Takes::Strings;
    ToJson "toJSON" (1, 1) Takes::Any;
    ToPairs "toPairs" (1, 1) Takes::Own(&[Map]);
    Trim "trim" (1, 2) Takes::Strings;
    TrimPrefix "trimPrefix" (1, 2) Takes::Strings;
    TrimSuffix "trimSuffix" (1, 2) Takes::Strings;
    Type "type" (1, 1) Takes::Any;
    Uniq "uniq" (1, 1) Takes::Own(&[List]);
    Upper "upper" (1, 1) Takes::Strings;
    Values "values" (1, 1) Takes::Own(&[Map]);
}

impl Builtin {
    /// The built-in called `name`.
    pub(crate) fn parse(name: &str) -> Option<Builtin> {
        let at = TABLE.binary_search_by(|row| row.0.cmp(name)).ok()?;
        Some(TABLE[at].1)
    }

    fn row(self) -> &'static (&'static str, Builtin, usize, usize, Takes) {
        // INVARIANT: variants and rows come from the same list in the same order.
        &TABLE[self as usize]
    }

    /// All names, sorted.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|row| row.0)
    }

    pub(crate) fn name(self) -> &'static str {
        self.row().0
    }

    /// Least and most arguments, and what they are.
    pub(crate) fn signature(self) -> (usize, usize, Takes) {
        let (_, _, least, most, takes) = *self.row();
        (least, most, takes)
    }

    /// Whether [`Takes::Own`] speaks of the first argument only.
    pub(crate) fn first_only(self) -> bool {
        matches!(self, Builtin::Get | Builtin::Take)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "most complaints are alike")]
    /// What the original says about an argument of type `shown`.
    pub(crate) fn complaint(self, shown: &str) -> String {
        // The original has no name for nil's type in some of its messages.
        let bare = if shown.starts_with('%') { "unknown" } else { shown };
        let name = self.name();
        match self {
            Builtin::Get => format!("type {bare} does not support indexing"),
            Builtin::First => format!("cannot get first element from {bare}"),
            Builtin::Last => format!("cannot get last element from {bare}"),
            Builtin::Keys => format!("cannot get keys from {bare}"),
            Builtin::Values => format!("cannot get values from {bare}"),
            Builtin::ToPairs => format!("cannot transform {bare} to pairs"),
            Builtin::FromPairs => format!("cannot transform {bare} from pairs"),
            Builtin::Take => format!("cannot take from {bare}"),
            Builtin::Reverse | Builtin::Uniq | Builtin::Concat | Builtin::Flatten => format!("cannot {name} {bare}"),
            _ => format!("invalid argument for {name} (type {shown})"),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the others take no predicate")]
    /// The places of a built-in that takes a predicate; `None` for the others.
    pub(crate) fn parameters(self) -> Option<&'static [Parameter]> {
        use Parameter::{OptionalPredicate, OptionalValue, Predicate, Value};
        match self {
            Builtin::All | Builtin::Any | Builtin::None | Builtin::One => Some(&[Value, Predicate]),
            Builtin::Filter | Builtin::Map | Builtin::GroupBy => Some(&[Value, Predicate]),
            Builtin::Find | Builtin::FindIndex | Builtin::FindLast | Builtin::FindLastIndex => {
                Some(&[Value, Predicate])
            }
            Builtin::Count | Builtin::Sum => Some(&[Value, OptionalPredicate]),
            Builtin::SortBy | Builtin::Reduce => Some(&[Value, Predicate, OptionalValue]),
            _ => None,
        }
    }
}

/// Calls a built-in without predicate. INVARIANT: the static check has counted the arguments.
pub(crate) fn call<'a>(cx: &mut Context<'a>, builtin: Builtin, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    use Builtin as B;
    let call = Call { builtin, args };
    match builtin {
        B::Abs | B::Ceil | B::Floor | B::Round | B::Max | B::Min | B::Mean | B::Median => numbers::call(cx, call),
        B::BitAnd | B::BitNand | B::BitNot | B::BitOr | B::BitShl | B::BitShr | B::BitUshr | B::BitXor => {
            bits::call(cx, call)
        }
        B::HasPrefix | B::HasSuffix | B::IndexOf | B::LastIndexOf | B::Join | B::Lower | B::Upper | B::Repeat => {
            strings::call(cx, call)
        }
        B::Replace | B::Split | B::SplitAfter | B::Trim | B::TrimPrefix | B::TrimSuffix => strings::call(cx, call),
        B::Concat | B::First | B::Flatten | B::Last | B::Reverse | B::Sort | B::Take | B::Uniq => lists::call(cx, call),
        B::Get | B::FromPairs | B::Keys | B::ToPairs | B::Values => maps::call(cx, call),
        B::Date | B::Duration | B::Now | B::Timezone => time::call(cx, call),
        B::FromBase64 | B::ToBase64 | B::Float | B::Int | B::String | B::Type => convert::call(cx, call),
        B::FromJson | B::ToJson => json::call(cx, call),
        B::Len => match crate::value::len(call.arg(0)) {
            Some(len) => Ok(Value::Int(len as i64)),
            None => call.refuse(cx, call.arg(0)),
        },
        // These take a predicate: they are loops, not calls.
        B::All | B::Any | B::Count | B::Filter | B::Find | B::FindIndex | B::FindLast | B::FindLastIndex => {
            Ok(Value::Null)
        }
        B::GroupBy | B::Map | B::None | B::One | B::Reduce | B::SortBy | B::Sum => Ok(Value::Null),
    }
}

/// A call of a built-in: what is called, with what.
#[derive(Clone, Copy)]
pub(crate) struct Call<'c, 'a> {
    pub(crate) builtin: Builtin,
    pub(crate) args: &'c [Value<'a>],
}

impl<'a> Call<'_, 'a> {
    /// The argument at a place; nil where it was left out.
    pub(crate) fn arg(&self, at: usize) -> Value<'a> {
        self.args.get(at).copied().unwrap_or(Value::Null)
    }

    /// What the original says about an argument of the wrong type.
    pub(crate) fn refuse<T>(&self, cx: &mut Context<'a>, value: Value<'a>) -> Result<T, Stop> {
        cx.fail(self.builtin.complaint(type_name(value)))
    }

    /// The argument at a place, which must be text.
    pub(crate) fn text(&self, cx: &mut Context<'a>, at: usize) -> Result<&'a str, Stop> {
        match self.arg(at) {
            Value::Str(text) => Ok(text),
            other => {
                let (name, got) = (self.builtin.name(), type_name(other));
                cx.fail(format!("invalid argument for {name} (expected string, but got {got})"))
            }
        }
    }

    /// The argument at a place, which must be a number.
    pub(crate) fn integer(&self, cx: &mut Context<'a>, at: usize) -> Result<i64, Stop> {
        match crate::access::integer(self.arg(at)) {
            Some(int) => Ok(int),
            None => cx.fail(crate::access::not_integer(self.arg(at))),
        }
    }

    /// The argument at a place, which must be a list.
    pub(crate) fn list(&self, cx: &mut Context<'a>, at: usize) -> Result<&'a [Value<'a>], Stop> {
        let value = self.arg(at);
        match crate::value::elements(value, cx.arena) {
            Some(items) => {
                cx.spend(items.len() as u64)?;
                Ok(items)
            }
            None => self.refuse(cx, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_builtin() {
        for (name, builtin, ..) in TABLE {
            assert_eq!(Builtin::parse(name), Some(*builtin), "{name}: the table must be sorted");
            assert_eq!(builtin.name(), *name);
        }
    }
}
