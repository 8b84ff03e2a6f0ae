//! Who may send: bearer tokens, basic credentials, header checks; the same on both protocols.
//!
//! Every configured credential is compared, in constant time, whatever matched before it.

use ::http::HeaderMap;
use ::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::config::{AuthConfig, CredentialConfig};
use super::refusal::Refusal;
use super::secret::Secret;

pub(super) struct Authenticator {
    rules: Vec<Rule>,
    query_parameter: Option<String>,
}

struct Rule {
    proof: Proof,
    signals: Vec<String>,
}

enum Proof {
    Bearer(Secret),
    /// The encoded `user:password`.
    Basic(Secret),
    Header(String, Secret),
}

/// What a request shows.
struct Shown<'a> {
    headers: &'a HeaderMap,
    bearer: Vec<Vec<u8>>,
    basic: Option<&'a [u8]>,
}

impl Authenticator {
    pub(super) fn new(config: &AuthConfig) -> Self {
        let rules = config.credentials.iter().filter_map(Rule::new).collect();
        Self {
            rules,
            query_parameter: config.query_parameter.clone(),
        }
    }

    /// Lets a request for `signal` in or says why not.
    pub(super) fn check(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        signal: &str,
    ) -> Result<(), Refusal> {
        if self.rules.is_empty() {
            return Ok(());
        }
        let shown = self.shown(headers, query);
        let (mut known, mut allowed) = (false, false);
        for rule in &self.rules {
            let matches = rule.proof.matches(&shown);
            known |= matches;
            allowed |= matches && rule.covers(signal);
        }
        match (known, allowed) {
            (_, true) => Ok(()),
            (true, false) => Err(Refusal::Forbidden),
            (false, false) => Err(Refusal::Unauthenticated),
        }
    }

    /// The value of `WWW-Authenticate` on a 401.
    pub(super) fn challenge(&self) -> &'static str {
        let basic = self
            .rules
            .iter()
            .any(|rule| matches!(rule.proof, Proof::Basic(_)));
        let bearer = self
            .rules
            .iter()
            .any(|rule| matches!(rule.proof, Proof::Bearer(_)));
        match (bearer, basic) {
            (false, true) => "Basic realm=\"otlp\"",
            (true, true) => "Bearer realm=\"otlp\", Basic realm=\"otlp\"",
            _ => "Bearer realm=\"otlp\"",
        }
    }

    fn shown<'a>(&self, headers: &'a HeaderMap, query: Option<&str>) -> Shown<'a> {
        let mut shown = Shown {
            headers,
            bearer: Vec::new(),
            basic: None,
        };
        if let Some(value) = headers.get(AUTHORIZATION) {
            let value = value.as_bytes();
            let space = value
                .iter()
                .position(|byte| *byte == b' ')
                .unwrap_or(value.len());
            let (scheme, rest) = value.split_at(space);
            let rest = rest.trim_ascii();
            if scheme.eq_ignore_ascii_case(b"bearer") {
                shown.bearer.push(rest.to_vec());
            } else if scheme.eq_ignore_ascii_case(b"basic") {
                shown.basic = Some(rest);
            }
        }
        if let (Some(parameter), Some(query)) = (&self.query_parameter, query) {
            let token =
                form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == parameter);
            shown
                .bearer
                .extend(token.map(|(_, value)| value.into_owned().into_bytes()));
        }
        shown
    }
}

impl Rule {
    /// `None` only for a credential that validation refuses.
    fn new(config: &CredentialConfig) -> Option<Self> {
        let proof = match config {
            CredentialConfig {
                bearer: Some(token),
                ..
            } => Proof::Bearer(token.clone()),
            CredentialConfig {
                username: Some(user),
                password: Some(password),
                ..
            } => Proof::Basic(Secret::new(
                STANDARD.encode(format!("{user}:{}", password.expose())),
            )),
            CredentialConfig {
                header: Some(name),
                value: Some(value),
                ..
            } => Proof::Header(name.to_ascii_lowercase(), value.clone()),
            _ => return None,
        };
        Some(Self {
            proof,
            signals: config.signals.clone(),
        })
    }

    fn covers(&self, signal: &str) -> bool {
        self.signals.is_empty() || self.signals.iter().any(|allowed| allowed == signal)
    }
}

impl Proof {
    fn matches(&self, shown: &Shown<'_>) -> bool {
        match self {
            Self::Bearer(token) => shown
                .bearer
                .iter()
                .fold(false, |found, candidate| found | token.matches(candidate)),
            Self::Basic(encoded) => shown
                .basic
                .is_some_and(|candidate| encoded.matches(candidate)),
            Self::Header(name, value) => shown
                .headers
                .get(name)
                .is_some_and(|candidate| value.matches(candidate.as_bytes())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authenticator(toml: &str) -> Authenticator {
        Authenticator::new(&toml::from_str(toml).unwrap())
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    ::http::HeaderName::from_static(name),
                    ::http::HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn a01_a02_each_kind_of_credential_opens_and_nothing_else_does() {
        let auth = authenticator(
            "query_parameter = 'token'\n\
             credentials = [{ bearer = 'abc', signals = ['traces'] }, { username = 'u', password = 'p' },\n\
             { header = 'X-Api-Key', value = 'k' }]",
        );
        let check = |pairs: &[(&'static str, &'static str)], query: Option<&str>, signal: &str| {
            auth.check(&headers(pairs), query, signal)
        };
        assert_eq!(
            check(&[("authorization", "Bearer abc")], None, "traces"),
            Ok(())
        );
        assert_eq!(
            check(&[("authorization", "bearer  abc")], None, "traces"),
            Ok(())
        );
        assert_eq!(
            check(&[("authorization", "Bearer abc")], None, "logs"),
            Err(Refusal::Forbidden)
        );
        assert_eq!(
            check(&[("authorization", "Basic dTpw")], None, "logs"),
            Ok(())
        );
        assert_eq!(check(&[("x-api-key", "k")], None, "logs"), Ok(()));
        assert_eq!(check(&[], Some("a=1&token=%61bc"), "traces"), Ok(()));
        for pairs in [
            &[][..],
            &[("authorization", "Bearer abcd")],
            &[("authorization", "Bearer")],
            &[("authorization", "abc")],
            &[("authorization", "Basic abc")],
            &[("x-api-key", "")],
        ] {
            assert_eq!(
                check(pairs, Some("token="), "traces"),
                Err(Refusal::Unauthenticated),
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn a01_it_is_off_by_default() {
        assert_eq!(
            authenticator("").check(&HeaderMap::new(), None, "traces"),
            Ok(())
        );
    }
}
