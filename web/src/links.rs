//! Links to other tools (Grafana, Kibana, a cluster's console), written once in the configuration.

use serde::{Deserialize, Serialize};

use crate::address::segment;

/// Names that stand for what a page is about.
const PLACES: [&str; 9] = [
    "trace_id",
    "span_id",
    "service",
    "namespace",
    "environment",
    "cluster",
    "instance",
    "from_ms",
    "to_ms",
];

/// A link with places in it: `https://grafana.example/explore?q={service}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", deny_unknown_fields)]
pub struct LinkTemplate {
    /// What people click.
    pub name: String,
    /// An `http` or `https` address with `{trace_id}`, `{span_id}`, `{service}`, `{namespace}`, `{environment}`,
    /// `{cluster}`, `{instance}`, `{from_ms}` or `{to_ms}` in it.
    pub url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    url: String,
}

impl TryFrom<Written> for LinkTemplate {
    type Error = String;

    fn try_from(Written { name, url }: Written) -> Result<Self, String> {
        if name.trim().is_empty() {
            return Err("a link needs a name".to_owned());
        }
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(format!("the link {name:?} is no http or https address"));
        }
        let unknown = places(&url).find(|place| !PLACES.contains(place));
        if let Some(place) = unknown {
            return Err(format!(
                "the link {name:?} has the place {{{place}}}; known are {}",
                PLACES.join(", ")
            ));
        }
        Ok(Self { name, url })
    }
}

/// What stands between braces.
fn places(url: &str) -> impl Iterator<Item = &str> {
    url.split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(place, _)| place)
}

impl LinkTemplate {
    /// The address, if each of its places is known here; values are percent-encoded.
    pub fn filled(&self, known: &[(&str, &str)]) -> Option<String> {
        let mut address = self.url.clone();
        for place in places(&self.url) {
            let (_, value) = known
                .iter()
                .find(|(name, value)| *name == place && !value.is_empty())?;
            address = address.replace(&format!("{{{place}}}"), &segment(value));
        }
        Some(address)
    }

    /// Whether it is about one of these.
    pub fn is_about(&self, any: &[&str]) -> bool {
        places(&self.url).any(|place| any.contains(&place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(url: &str) -> Result<LinkTemplate, String> {
        let (name, url) = ("Grafana".to_owned(), url.to_owned());
        Written { name, url }.try_into()
    }

    #[test]
    fn places_are_filled_and_encoded_or_the_link_is_left_out() {
        let link = template("https://grafana.example/d?q={service}&t={trace_id}").expect("a link");
        let known = [("service", "a b&c/<x>"), ("trace_id", "5b8a")];
        let address = link.filled(&known).expect("all places are known");
        assert!(
            address.starts_with("https://grafana.example/d?q=a%20b%26c%2F%3Cx%3E&t=5b8a"),
            "{address}"
        );
        assert_eq!(link.filled(&known[..1]), None);
        assert!(link.is_about(&["trace_id"]) && !link.is_about(&["span_id"]));
    }

    #[test]
    fn what_is_no_address_or_names_an_unknown_place_is_refused() {
        for (url, why) in [
            ("javascript:alert(1)", "no http"),
            ("https://x/{pod}", "{pod}"),
            ("//x/{service}", "no http"),
        ] {
            let error = template(url).expect_err(url);
            assert!(error.contains(why), "{error}");
        }
    }
}
