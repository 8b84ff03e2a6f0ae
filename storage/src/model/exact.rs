//! 64-bit integers in JSON: a number while every JSON reader keeps it exactly (up to 2^53), else a string.
//!
//! For `#[serde(with = "exact")]` on `i64` and `u64`, and `exact::option` on their options. Reads both.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;

const SAFE_MAX: u64 = 1 << 53;

/// The two integers this module is for.
pub trait Integer: Copy + fmt::Display + std::str::FromStr + TryFrom<i64> + TryFrom<u64> {
    /// Distance from 0.
    fn magnitude(self) -> u64;
    /// As a JSON number.
    fn number<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error>;
}

impl Integer for i64 {
    fn magnitude(self) -> u64 {
        self.unsigned_abs()
    }
    fn number<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self)
    }
}

impl Integer for u64 {
    fn magnitude(self) -> u64 {
        self
    }
    fn number<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self)
    }
}

/// Writes the integer.
pub fn serialize<T: Integer, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    if value.magnitude() <= SAFE_MAX {
        value.number(serializer)
    } else {
        serializer.collect_str(value)
    }
}

/// Reads a number or a string.
pub fn deserialize<'de, T: Integer, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Either<T>(PhantomData<T>);
    impl<T: Integer> Visitor<'_> for Either<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a 64-bit integer, as a number or a string")
        }
        fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
            T::try_from(value).map_err(|_| E::custom("integer out of range"))
        }
        fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
            T::try_from(value).map_err(|_| E::custom("integer out of range"))
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(|_| E::custom("not a 64-bit integer"))
        }
    }
    deserializer.deserialize_any(Either(PhantomData))
}

/// The same for options; an absent value is `null`.
pub mod option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Integer;

    struct Exact<T>(T);
    impl<T: Integer> Serialize for Exact<T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            super::serialize(&self.0, serializer)
        }
    }
    impl<'de, T: Integer> Deserialize<'de> for Exact<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            super::deserialize(deserializer).map(Self)
        }
    }

    /// Writes the integer or `null`.
    pub fn serialize<T: Integer, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(Exact).serialize(serializer)
    }

    /// Reads a number, a string or `null`.
    pub fn deserialize<'de, T: Integer, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        Ok(Option::<Exact<T>>::deserialize(deserializer)?.map(|exact| exact.0))
    }
}

/// Doubles whose non-finite values JSON has no number for: these become the strings of the attribute encoding.
pub mod double {
    use super::{Deserializer, Error, Serializer, Visitor, fmt};

    /// Writes a number, or `"NaN"`, `"Infinity"`, `"-Infinity"`.
    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if value.is_finite() {
            serializer.serialize_f64(*value)
        } else if value.is_nan() {
            serializer.serialize_str("NaN")
        } else {
            serializer.serialize_str(if *value > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            })
        }
    }

    /// Reads a number or one of the three strings.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = f64;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or one of NaN, Infinity, -Infinity as a string")
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
                Ok(value)
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
                Ok(value as f64)
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<f64, E> {
                Ok(value as f64)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
                match text {
                    "NaN" => Ok(f64::NAN),
                    "Infinity" => Ok(f64::INFINITY),
                    "-Infinity" => Ok(f64::NEG_INFINITY),
                    _ => Err(E::custom("not a double")),
                }
            }
        }
        deserializer.deserialize_any(Either)
    }
}
