//! What carries context: headers of any kind.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

/// Headers that context is read from and written to. Names are compared without case.
///
/// Implemented for the shapes message clients use: maps, lists of pairs (as Kafka's headers are,
/// with bytes for values) and maps of lists (as NATS's are); with features `http` and `tonic` for
/// their headers and metadata.
///
/// ```
/// use tripline_sdk::propagation::Carrier;
///
/// /// An AMQP client's table, say.
/// struct Table(Vec<(String, String)>);
///
/// impl Carrier for Table {
///     fn get_all(&self, name: &str) -> Vec<&str> {
///         self.0.iter().filter(|pair| pair.0 == name).map(|pair| pair.1.as_str()).collect()
///     }
///     fn set(&mut self, name: &'static str, value: String) {
///         Carrier::remove(self, name);
///         self.0.push((name.to_owned(), value));
///     }
///     fn remove(&mut self, name: &'static str) {
///         self.0.retain(|pair| pair.0 != name);
///     }
/// }
/// ```
pub trait Carrier {
    /// Every value of a header, in order; an unreadable one is an empty one.
    fn get_all(&self, name: &str) -> Vec<&str>;
    /// Makes `value` the only value of a header.
    fn set(&mut self, name: &'static str, value: String);
    /// Takes a header away.
    fn remove(&mut self, name: &'static str);
}

impl<S: BuildHasher> Carrier for HashMap<String, String, S> {
    fn get_all(&self, name: &str) -> Vec<&str> {
        let found = self
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).collect()
    }
    fn set(&mut self, name: &'static str, value: String) {
        Carrier::remove(self, name);
        self.insert(name.to_owned(), value);
    }
    fn remove(&mut self, name: &'static str) {
        self.retain(|key, _| !key.eq_ignore_ascii_case(name));
    }
}

impl Carrier for BTreeMap<String, String> {
    fn get_all(&self, name: &str) -> Vec<&str> {
        let found = self
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).collect()
    }
    fn set(&mut self, name: &'static str, value: String) {
        Carrier::remove(self, name);
        self.insert(name.to_owned(), value);
    }
    fn remove(&mut self, name: &'static str) {
        self.retain(|key, _| !key.eq_ignore_ascii_case(name));
    }
}

impl<S: BuildHasher> Carrier for HashMap<String, Vec<String>, S> {
    fn get_all(&self, name: &str) -> Vec<&str> {
        let found = self
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found
            .flat_map(|(_, values)| values)
            .map(String::as_str)
            .collect()
    }
    fn set(&mut self, name: &'static str, value: String) {
        Carrier::remove(self, name);
        self.insert(name.to_owned(), vec![value]);
    }
    fn remove(&mut self, name: &'static str) {
        self.retain(|key, _| !key.eq_ignore_ascii_case(name));
    }
}

impl<V: Value> Carrier for Vec<(String, V)> {
    fn get_all(&self, name: &str) -> Vec<&str> {
        let found = self
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.text()).collect()
    }
    fn set(&mut self, name: &'static str, value: String) {
        Carrier::remove(self, name);
        self.push((name.to_owned(), value.into()));
    }
    fn remove(&mut self, name: &'static str) {
        self.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }
}

/// A header value: text or bytes.
///
/// ```
/// use tripline_sdk::propagation::Value;
/// let bytes: Vec<u8> = String::from("00-0af7").into();
/// assert_eq!(Value::text(&bytes), "00-0af7");
/// assert_eq!(Value::text(&vec![0xff_u8]), "", "no text");
/// ```
pub trait Value: From<String> {
    /// It as text; empty if it is none.
    fn text(&self) -> &str;
}

impl Value for String {
    fn text(&self) -> &str {
        self
    }
}

impl Value for Vec<u8> {
    fn text(&self) -> &str {
        std::str::from_utf8(self).unwrap_or_default()
    }
}

#[cfg(feature = "http")]
impl Carrier for http::HeaderMap {
    fn get_all(&self, name: &str) -> Vec<&str> {
        let values = http::HeaderMap::get_all(self, name).iter();
        values
            .map(|value| value.to_str().unwrap_or_default())
            .collect()
    }
    fn set(&mut self, name: &'static str, value: String) {
        // What this crate writes is ASCII, so it always is a header value.
        if let Ok(value) = http::HeaderValue::try_from(value) {
            self.insert(http::HeaderName::from_static(name), value);
        }
    }
    fn remove(&mut self, name: &'static str) {
        http::HeaderMap::remove(self, name);
    }
}

#[cfg(feature = "tonic")]
impl Carrier for tonic::metadata::MetadataMap {
    fn get_all(&self, name: &str) -> Vec<&str> {
        let values = tonic::metadata::MetadataMap::get_all(self, name).into_iter();
        values
            .map(|value| value.to_str().unwrap_or_default())
            .collect()
    }
    fn set(&mut self, name: &'static str, value: String) {
        if let Ok(value) = value.try_into() {
            self.insert(name, value);
        }
    }
    fn remove(&mut self, name: &'static str) {
        tonic::metadata::MetadataMap::remove(self, name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn works(mut carrier: impl Carrier) {
        assert_eq!(carrier.get_all("traceparent"), ["old"]);
        carrier.set("traceparent", "new".into());
        assert_eq!(carrier.get_all("traceparent"), ["new"]);
        carrier.remove("traceparent");
        assert!(carrier.get_all("traceparent").is_empty());
    }

    #[test]
    fn every_shape_of_headers_carries_without_case() {
        let name = || "TraceParent".to_owned();
        works(HashMap::from([(name(), "old".to_owned())]));
        works(BTreeMap::from([(name(), "old".to_owned())]));
        works(HashMap::from([(name(), vec!["old".to_owned()])]));
        works(vec![(name(), "old".to_owned())]);
        works(vec![(name(), b"old".to_vec())]);
    }

    #[test]
    fn a_list_shows_every_value() {
        let list = vec![
            ("a".to_owned(), vec![0xff]),
            ("A".to_owned(), b"2".to_vec()),
        ];
        assert_eq!(list.get_all("a"), ["", "2"]);
    }
}
