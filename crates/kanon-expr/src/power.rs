//! Powers, to the last bit as Go's library has them.

/// `x ** y` as Go computes it: by squaring for the whole part of the exponent, so that the last bit is the same.
pub(crate) fn power(x: f64, y: f64) -> f64 {
    let special = x.is_nan() || y.is_nan() || x == 0.0 || x.is_infinite() || y.is_infinite();
    if special || y == 0.0 || x == 1.0 || y == 1.0 || (x < 0.0 && y.fract() != 0.0) {
        return x.powf(y);
    }
    if y.abs() == 0.5 {
        return if y > 0.0 { x.sqrt() } else { 1.0 / x.sqrt() };
    }
    let (mut whole, mut rest) = (y.abs().trunc(), y.abs().fract());
    if whole >= 9_223_372_036_854_775_808.0 {
        // An even exponent this large leaves nothing but the ends.
        return match (x == -1.0, (x.abs() < 1.0) == (y > 0.0)) {
            (true, _) => 1.0,
            (_, true) => 0.0,
            _ => f64::INFINITY,
        };
    }
    let mut product = 1.0;
    let mut product_exponent = 0i64;
    if rest != 0.0 {
        if rest > 0.5 {
            rest -= 1.0;
            whole += 1.0;
        }
        product = (rest * x.ln()).exp();
    }
    let (mut base, mut exponent) = split(x);
    let mut bits = whole as i64;
    while bits != 0 {
        if exponent.abs() > 1 << 12 {
            // Far beyond every double; the sign of the exponent decides what it becomes.
            product_exponent += exponent;
            break;
        }
        if bits & 1 == 1 {
            product *= base;
            product_exponent += exponent;
        }
        base *= base;
        exponent *= 2;
        if base < 0.5 {
            base += base;
            exponent -= 1;
        }
        bits >>= 1;
    }
    if y < 0.0 { scale(1.0 / product, -product_exponent) } else { scale(product, product_exponent) }
}

/// A double as a number of at least a half and below one, times a power of two.
fn split(x: f64) -> (f64, i64) {
    // Subnormal numbers are made normal first.
    let (x, shift) = if x.abs() < f64::MIN_POSITIVE { (x * 2f64.powi(52), -52) } else { (x, 0) };
    let bits = x.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i64 - 1022;
    (f64::from_bits((bits & !(0x7ff << 52)) | (1022 << 52)), exponent + shift)
}

/// `x` times two to the power of `exponent`.
fn scale(x: f64, exponent: i64) -> f64 {
    let (fraction, own) = split(x);
    match own + exponent {
        _ if x == 0.0 || !x.is_finite() => x,
        total if total > 1024 => f64::INFINITY.copysign(x),
        total if total < -1075 => 0f64.copysign(x),
        total if total < -1021 => fraction * 2f64.powi((total + 53) as i32) * 2f64.powi(-53),
        1024 => fraction * 2.0 * 2f64.powi(1023),
        total => fraction * 2f64.powi(total as i32),
    }
}
