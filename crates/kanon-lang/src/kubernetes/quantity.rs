//! Quantities: `1.5Gi`, `200m`, with the meaning of apimachinery's `resource.Quantity`. A whole number of up to 38 digits times a
//! power of ten, exact.

use std::{any::Any, borrow::Cow, cmp::Ordering};

use crate::{Opaque, Type, Value};

/// How a quantity was written, which is how its canonical text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// `k`, `M`, …
    Decimal,
    /// `Ki`, `Mi`, …
    Binary,
    /// `e3`
    Exponent,
}

/// A quantity.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    value: i128,
    exponent: i32,
    format: Format,
    /// Whether apimachinery keeps it as 64 bits and a scale. Only then it is an integer to `asInteger`, whatever its value.
    small: bool,
}

const FORMAT: &str = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const SUFFIX: &str = "unable to parse quantity's suffix";
const NUMBER: &str = "unable to parse numeric part of quantity";

/// The smallest unit: 10^-9.
const NANO: i32 = -9;

/// Suffixes by powers of ten, by which texts are read and written.
const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
const BINARY: [(&str, u32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];

const NAME: &str = "kubernetes.Quantity";

impl Quantity {
    /// Its name among types.
    pub const TYPE: Type = Type::Opaque(NAME);

    /// The quantity that a value is; `None` for values of other types.
    pub fn of(value: Value<'_>) -> Option<Quantity> {
        match value {
            Value::Opaque(opaque) => opaque.as_any()?.downcast_ref::<Quantity>().copied(),
            _ => None,
        }
    }

    /// Reads a quantity.
    ///
    /// # Errors
    /// Why it is none, in apimachinery's words.
    pub fn parse(text: &str) -> Result<Quantity, &'static str> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let end = unsigned.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return Err(FORMAT);
        }
        let (format, power, shift) = suffix_of(suffix)?;
        let whole = whole.trim_start_matches('0');
        let digits = format!("{whole}{fraction}");
        if digits.len() > 1000 || !(-1_000..=1_000).contains(&power) {
            return Err(NUMBER);
        }
        let (value, dropped) = significant(&digits).ok_or(NUMBER)?;
        let mut quantity = Quantity {
            value: if text.starts_with('-') { -value } else { value },
            exponent: power - fraction.len() as i32 + dropped,
            format,
            small: false,
        };
        let binary_digits = 15 - whole.len() as i32 - (shift as f32 * 3.0 / 10.0) as i32 - 1;
        quantity.small = match format {
            Format::Binary => fraction.is_empty() && binary_digits >= 0,
            Format::Decimal | Format::Exponent => digits.len() <= 18 && quantity.exponent >= NANO,
        };
        quantity.value = quantity.value.checked_mul(1 << shift).ok_or(NUMBER)?;
        if quantity.small && quantity.int64().is_none() {
            quantity.small = false;
        }
        quantity.round_up();
        if format == Format::Binary {
            let most = Quantity::of_int(i64::MAX);
            if quantity.magnitude().order(&most).is_gt() {
                let (small, sign) = (quantity.small, quantity.value.signum());
                quantity = Quantity { value: sign * most.value, exponent: 0, format, small };
            }
        }
        Ok(quantity)
    }

    /// The quantity of a whole number.
    pub fn of_int(int: i64) -> Quantity {
        Quantity { value: i128::from(int), exponent: 0, format: Format::Exponent, small: true }
    }

    /// Beyond the smallest unit what is not zero is rounded away from it: some is never none.
    fn round_up(&mut self) {
        while self.exponent < NANO {
            let (whole, rest) = (self.value / 10, self.value % 10);
            self.value = whole + rest.signum();
            self.exponent += 1;
            if self.value == 0 {
                self.exponent = 0;
            }
        }
    }

    fn magnitude(self) -> Quantity {
        Quantity { value: self.value.abs(), ..self }
    }

    /// The number before the power of ten, as 64 bits.
    fn int64(self) -> Option<i64> {
        i64::try_from(self.value).ok()
    }

    /// `-self`
    #[must_use]
    pub fn negated(self) -> Quantity {
        Quantity { value: -self.value, ..self }
    }

    /// -1, 0 or 1.
    pub fn sign(self) -> i64 {
        self.value.signum() as i64
    }

    /// As an integer, where apimachinery gives one.
    pub fn to_int(self) -> Option<i64> {
        if !self.small || self.exponent < 0 {
            return None;
        }
        let scale = 10i128.checked_pow(u32::try_from(self.exponent).ok()?)?;
        i64::try_from(self.value.checked_mul(scale)?).ok()
    }

    /// As a double, the nearest.
    pub fn to_float(self) -> f64 {
        if self.exponent == 0 { self.value as f64 } else { self.value as f64 * power_of_ten(self.exponent) }
    }

    /// The sum, unless it has too many digits.
    pub fn plus(self, other: Quantity) -> Option<Quantity> {
        if self.value == 0 {
            return Some(Quantity { format: other.format, ..other });
        }
        if other.value == 0 {
            return Some(self);
        }
        let exponent = self.exponent.min(other.exponent);
        let at = |it: Quantity| {
            let scale = 10i128.checked_pow(u32::try_from(it.exponent - exponent).ok()?)?;
            it.value.checked_mul(scale)
        };
        let mut sum = Quantity { value: at(self)?.checked_add(at(other)?)?, exponent, ..self };
        sum.small = self.small && other.small && sum.int64().is_some();
        Some(sum)
    }

    /// Exact, for numbers of any sizes.
    pub fn order(&self, other: &Quantity) -> Ordering {
        if self.value.signum() != other.value.signum() || self.value == 0 {
            return self.value.signum().cmp(&other.value.signum());
        }
        let (a, b) = (self.magnitude(), other.magnitude());
        let (ends, other_ends) = (a.digits() + a.exponent, b.digits() + b.exponent);
        let order = ends.cmp(&other_ends).then_with(|| {
            // As many digits before the point: with as many behind it, they can be compared.
            let exponent = a.exponent.min(b.exponent);
            let at = |it: Quantity| it.value.checked_mul(10i128.checked_pow((it.exponent - exponent) as u32)?);
            match (at(a), at(b)) {
                (Some(a), Some(b)) => a.cmp(&b),
                _ => a.to_float().total_cmp(&b.to_float()),
            }
        });
        if self.value < 0 { order.reverse() } else { order }
    }

    /// How many decimal digits the number has.
    fn digits(self) -> i32 {
        self.value.unsigned_abs().checked_ilog10().map_or(0, |it| it as i32 + 1)
    }

    fn canonical(self) -> String {
        if self.value == 0 {
            return "0".to_owned();
        }
        let whole = u32::try_from(self.exponent)
            .ok()
            .and_then(|it| 10i128.checked_pow(it))
            .and_then(|it| self.value.checked_mul(it))
            .or_else(|| {
                let scale = 10i128.checked_pow(self.exponent.unsigned_abs()).filter(|_| self.exponent < 0)?;
                (self.value % scale == 0).then(|| self.value / scale)
            });
        if self.format == Format::Binary
            && let Some(whole) = whole.filter(|it| it.abs() >= 1024)
        {
            let fits = BINARY.iter().rev().find(|(_, bits)| whole % (1 << bits) == 0);
            return fits.map_or_else(|| whole.to_string(), |(suffix, bits)| format!("{}{suffix}", whole / (1 << bits)));
        }
        let (mut value, mut exponent) = (self.value, self.exponent);
        while value % 10 == 0 {
            value /= 10;
            exponent += 1;
        }
        while exponent.rem_euclid(3) != 0 || exponent > 18 {
            match value.checked_mul(10) {
                Some(more) => value = more,
                None => break,
            }
            exponent -= 1;
        }
        match (self.format, exponent) {
            (Format::Exponent, 0) => value.to_string(),
            (Format::Exponent, exponent) => format!("{value}e{exponent}"),
            (_, exponent) => match DECIMAL.iter().find(|it| it.1 == exponent) {
                Some((suffix, _)) => format!("{value}{suffix}"),
                None => format!("{value}e{exponent}"),
            },
        }
    }
}

/// The number without zeros at its end where there are too many digits, and how many were dropped; `None` for more digits
/// than are kept.
fn significant(digits: &str) -> Option<(i128, i32)> {
    if digits.is_empty() {
        return Some((0, 0));
    }
    if digits.len() <= 38 {
        return Some((digits.parse().ok()?, 0));
    }
    let kept = digits.trim_end_matches('0');
    let kept = kept.trim_start_matches('0');
    if kept.len() > 38 {
        return None;
    }
    let dropped = digits.len() - digits.trim_end_matches('0').len();
    Some((if kept.is_empty() { 0 } else { kept.parse().ok()? }, dropped as i32))
}

/// Format, power of ten, and power of two of a suffix.
fn suffix_of(suffix: &str) -> Result<(Format, i32, u32), &'static str> {
    if let Some((_, power)) = DECIMAL.iter().find(|it| it.0 == suffix) {
        return Ok((Format::Decimal, *power, 0));
    }
    if let Some((_, bits)) = BINARY.iter().find(|it| it.0 == suffix) {
        return Ok((Format::Binary, 0, *bits));
    }
    let Some(exponent) = suffix.strip_prefix(['e', 'E']) else {
        let known = |it: char| "eEinumkKMGTP+-".contains(it) || it.is_ascii_digit();
        return Err(if suffix.chars().all(known) { SUFFIX } else { FORMAT });
    };
    exponent.parse().map(|it| (Format::Exponent, it, 0)).map_err(|_| SUFFIX)
}

fn power_of_ten(exponent: i32) -> f64 {
    // Reading a number is exact, multiplying in steps is not.
    format!("1e{exponent}").parse().unwrap_or(f64::NAN)
}

impl Opaque for Quantity {
    fn type_name(&self) -> &'static str {
        NAME
    }

    fn equals(&self, other: Value<'_>) -> Option<bool> {
        self.compare(other).map(Ordering::is_eq)
    }

    fn compare(&self, other: Value<'_>) -> Option<Ordering> {
        Some(self.order(&Quantity::of(other)?))
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.canonical())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_texts_are_apimachinerys() {
        for (text, want) in [
            ("0", "0"),
            ("1.5Gi", "1536Mi"),
            ("1024Ki", "1Mi"),
            ("100", "100"),
            ("1000", "1k"),
            ("1500m", "1500m"),
            ("0.5", "500m"),
            ("1e3", "1e3"),
            ("1234567", "1234567"),
            ("-5k", "-5k"),
            ("0.0000000001", "1n"),
        ] {
            assert_eq!(Quantity::parse(text).unwrap().text(), want, "{text}");
        }
    }

    #[test]
    fn numbers_of_any_sizes_are_ordered_exactly() {
        let sorted = ["-9E", "-1", "0", "1n", "999999999999999999n", "1G", "1Gi", "9999999999999999999999G", "1e300"];
        for pair in sorted.windows(2) {
            let (a, b) = (Quantity::parse(pair[0]).unwrap(), Quantity::parse(pair[1]).unwrap());
            assert_eq!(a.order(&b), Ordering::Less, "{pair:?}");
            assert_eq!(b.order(&a), Ordering::Greater, "{pair:?}");
        }
    }
}
