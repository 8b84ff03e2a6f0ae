//! Numbers with units: durations in nanoseconds, sizes in bytes.

/// A number as written, in the base unit of what it measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantity {
    /// What it measures.
    pub measure: Measure,
    /// In nanoseconds or bytes, or bare.
    pub amount: f64,
    /// The same, exactly, when it is a whole number.
    pub whole: Option<i64>,
}

/// What a number measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// It has no unit.
    Bare,
    /// Nanoseconds.
    Duration,
    /// Bytes.
    Size,
}

/// Units and how much of the base unit each is. SI sizes are powers of 1000, IEC ones of 1024.
const UNITS: [(&str, Measure, f64); 22] = [
    ("ns", Measure::Duration, 1.0),
    ("us", Measure::Duration, 1e3),
    ("µs", Measure::Duration, 1e3),
    ("μs", Measure::Duration, 1e3),
    ("ms", Measure::Duration, 1e6),
    ("s", Measure::Duration, 1e9),
    ("m", Measure::Duration, 60e9),
    ("min", Measure::Duration, 60e9),
    ("h", Measure::Duration, 3_600e9),
    ("d", Measure::Duration, 86_400e9),
    ("B", Measure::Size, 1.0),
    ("kB", Measure::Size, 1e3),
    ("KB", Measure::Size, 1e3),
    ("MB", Measure::Size, 1e6),
    ("GB", Measure::Size, 1e9),
    ("TB", Measure::Size, 1e12),
    ("KiB", Measure::Size, 1024.0),
    ("MiB", Measure::Size, 1_048_576.0),
    ("GiB", Measure::Size, 1_073_741_824.0),
    ("TiB", Measure::Size, 1_099_511_627_776.0),
    ("b", Measure::Size, 1.0),
    ("K", Measure::Size, 1024.0),
];

impl Quantity {
    /// Reads `500`, `-1.5`, `1e3`, `100ms`, `10KiB`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = number_length(text)?;
        let (number, unit) = text.split_at(digits);
        let amount: f64 = number.parse().ok().filter(|n: &f64| n.is_finite())?;
        let exact: Option<i64> = number.parse().ok();
        if unit.is_empty() {
            return Some(Self {
                measure: Measure::Bare,
                amount,
                whole: exact,
            });
        }
        let (_, measure, scale) = UNITS.iter().find(|(name, ..)| *name == unit)?;
        let amount = snapped(amount * scale);
        let whole = exact
            .and_then(|n| n.checked_mul(*scale as i64))
            .or_else(|| {
                let rounded = amount.round();
                (rounded.abs() < 9e18).then_some(rounded as i64)
            });
        amount.is_finite().then_some(Self {
            measure: *measure,
            amount,
            whole,
        })
    }
}

/// The whole number that a product of two rounded factors means, if it is one: 4.1 times 1e6 is 4099999.9999999995.
fn snapped(product: f64) -> f64 {
    let whole = product.round();
    let is_rounding = (product - whole).abs() <= whole.abs() * 2.0 * f64::EPSILON;
    if is_rounding { whole } else { product }
}

/// How many bytes of `[+-]digits[.digits][e[+-]digits]` the text starts with.
fn number_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        bytes.get(from..).map_or(0, |rest| {
            rest.iter().take_while(|b| b.is_ascii_digit()).count()
        })
    };
    let mut at = usize::from(matches!(bytes.first(), Some(b'-')));
    let whole = digits(at);
    if whole == 0 {
        return None;
    }
    at += whole;
    if bytes.get(at) == Some(&b'.') && digits(at + 1) > 0 {
        at += 1 + digits(at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'-' | b'+')));
        let exponent = digits(at + 1 + sign);
        if exponent > 0 {
            at += 1 + sign + exponent;
        }
    }
    Some(at)
}

/// Nanoseconds in the unit an attribute's name tells; `duration` is in seconds by the semantic conventions.
pub(crate) fn unit_ns(name: &str) -> Option<f64> {
    let last = name.rsplit(['.', '_']).next()?;
    Some(match last {
        "ns" | "nanos" | "nanoseconds" => 1.0,
        "us" | "micros" | "microseconds" => 1e3,
        "ms" | "millis" | "milliseconds" => 1e6,
        "s" | "sec" | "seconds" | "duration" => 1e9,
        _ => return None,
    })
}
