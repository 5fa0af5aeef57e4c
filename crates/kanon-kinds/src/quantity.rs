//! Resource quantities (`250m`, `1Gi`, `1e3`): reading, comparing, and the canonical spelling a server stores.

use serde_json::Value;

/// Largest number of digits that are read; more than any resource needs, and far from overflow.
const MAX_DIGITS: usize = 24;
/// Quantities are kept in billionths: the finest unit there is.
const NANO: i128 = 1_000_000_000;

/// How a quantity was written, which its canonical spelling keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// `n u m k M G T P E`
    Decimal,
    /// `Ki Mi Gi Ti Pi Ei`
    Binary,
    /// `e3`
    Exponent,
}

/// A parsed quantity; ordered by amount.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantity {
    nanos: i128,
    family: Family,
}

const DECIMAL: [(&str, i32); 9] =
    [("n", -9), ("u", -6), ("m", -3), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
const BINARY: [(&str, u32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];

impl Quantity {
    /// Reads a quantity; `None` where it is not one. Amounts finer than a billionth are rounded away from zero.
    pub(crate) fn parse(text: &str) -> Option<Quantity> {
        let (negative, body) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let end = body.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(body.len());
        let (number, suffix) = body.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || digits.len() > MAX_DIGITS || fraction.contains('.') {
            return None;
        }
        let mantissa: i128 = digits.parse().ok()?;
        let (family, multiplier, exponent) = suffix_value(suffix)?;
        let exponent = exponent + 9 - i32::try_from(fraction.len()).ok()?;
        let scaled = mantissa.checked_mul(multiplier)?;
        let nanos = match exponent {
            0.. => scaled.checked_mul(10_i128.checked_pow(exponent.unsigned_abs())?)?,
            _ => div_up(scaled, 10_i128.checked_pow(exponent.unsigned_abs())?),
        };
        Some(Quantity { nanos: if negative { -nanos } else { nanos }, family })
    }

    /// One, in billionths.
    pub(crate) const ONE: i128 = NANO;

    /// The amount in billionths.
    pub(crate) fn nanos(self) -> i128 {
        self.nanos
    }

    /// Whether the amount is a whole number, in thousandths, which is how finely servers look.
    pub(crate) fn is_whole(self) -> bool {
        div_up(self.nanos, NANO / 1000) % 1000 == 0
    }

    /// The amount as a double.
    pub(crate) fn to_float(self) -> f64 {
        self.nanos as f64 / NANO as f64
    }

    fn canonical(self) -> String {
        match self.family {
            Family::Binary if self.nanos % NANO == 0 && self.nanos.abs() >= 1024 * NANO => binary(self.nanos / NANO),
            Family::Exponent => decimal(self.nanos, true),
            Family::Binary | Family::Decimal => decimal(self.nanos, false),
        }
    }
}

fn suffix_value(suffix: &str) -> Option<(Family, i128, i32)> {
    if suffix.is_empty() {
        return Some((Family::Decimal, 1, 0));
    }
    if let Some((_, shift)) = BINARY.iter().find(|(name, _)| *name == suffix) {
        return Some((Family::Binary, 1 << shift, 0));
    }
    if let Some((_, exponent)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some((Family::Decimal, 1, *exponent));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    (-MAX_EXPONENT..=MAX_EXPONENT).contains(&exponent).then_some((Family::Exponent, 1, exponent))
}

/// Beyond this no amount fits.
const MAX_EXPONENT: i32 = 24;

fn div_up(amount: i128, by: i128) -> i128 {
    amount / by + i128::from(amount % by != 0)
}

/// The largest decimal unit that leaves a whole number.
fn decimal(nanos: i128, exponent: bool) -> String {
    if nanos == 0 {
        return "0".to_owned();
    }
    let mut amount = nanos;
    let mut power = -9;
    while amount % 1000 == 0 && power < 18 {
        amount /= 1000;
        power += 3;
    }
    match (power, exponent) {
        (0, _) => amount.to_string(),
        (_, true) => format!("{amount}e{power}"),
        (_, false) => {
            let unit = DECIMAL.iter().find(|(_, it)| *it == power).map_or("", |(name, _)| name);
            format!("{amount}{unit}")
        }
    }
}

/// The largest binary unit that leaves a whole number.
fn binary(whole: i128) -> String {
    let mut amount = whole;
    let mut unit = "";
    for (name, _) in BINARY {
        if amount % 1024 != 0 {
            break;
        }
        amount /= 1024;
        unit = name;
    }
    format!("{amount}{unit}")
}

/// The text of a quantity in JSON, which may be written as text or as a number.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Number, scale and format of a canonical text, as Go keeps them; `None` where a number is too large for that.
pub(crate) fn in_go(canonical: &str) -> Option<(i64, i32, &'static str)> {
    let end = canonical.find(|it: char| !it.is_ascii_digit() && it != '-').unwrap_or(canonical.len());
    let (number, suffix) = canonical.split_at(end);
    let (family, multiplier, exponent) = suffix_value(suffix)?;
    let number = number.parse::<i128>().ok()?.checked_mul(multiplier)?;
    let format = match family {
        Family::Decimal => "DecimalSI",
        Family::Binary => "BinarySI",
        Family::Exponent => "DecimalExponent",
    };
    Some((number.try_into().ok()?, exponent, format))
}

/// Reads a quantity from JSON.
pub(crate) fn parse(value: &Value) -> Option<Quantity> {
    Quantity::parse(&text(value)?)
}

/// Whether a value of a body reads as a quantity.
pub fn is_quantity(value: &Value) -> bool {
    parse(value).is_some()
}

/// The spelling a server stores, where `value` is a quantity.
pub(crate) fn canonical(value: &Value) -> Option<String> {
    parse(value).map(Quantity::canonical)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn canonical_spelling() {
        for (given, want) in [
            (json!("0.5"), "500m"),
            (json!(0.5), "500m"),
            (json!(2), "2"),
            (json!("1000m"), "1"),
            (json!("1024Mi"), "1Gi"),
            (json!("1.5Gi"), "1536Mi"),
            (json!("128974848"), "128974848"),
            (json!("129M"), "129M"),
            (json!("1000k"), "1M"),
            (json!("1e3"), "1e3"),
            (json!("12e6"), "12e6"),
            (json!("0"), "0"),
            (json!("0Mi"), "0"),
            (json!("512"), "512"),
            (json!("0.5Ki"), "512"),
            (json!("-1"), "-1"),
            (json!("100n"), "100n"),
            (json!("+5"), "5"),
        ] {
            assert_eq!(canonical(&given).as_deref(), Some(want), "{given}");
        }
    }

    #[test]
    fn refuses_what_is_no_quantity() {
        for given in
            ["", "-", "m", "1 Gi", "1.2.3", "1Kib", "1e", "1e999", "0x10", "é", "99999999999999999999999999999E"]
        {
            assert!(canonical(&json!(given)).is_none(), "{given}");
        }
        assert!(canonical(&json!(true)).is_none());
    }

    proptest! {
        #[test]
        fn canonical_is_stable_and_keeps_the_amount(number in 0_u64..1_000_000_000, unit in "(n|u|m|k|M|G|Ki|Mi|Gi|e3|)") {
            let text = format!("{number}{unit}");
            let first = Quantity::parse(&text).unwrap();
            let second = Quantity::parse(&first.canonical()).unwrap();
            prop_assert_eq!(first.nanos(), second.nanos());
            prop_assert_eq!(first.canonical(), second.canonical());
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = Quantity::parse(&text).map(Quantity::canonical);
        }
    }
}
